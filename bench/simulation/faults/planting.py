"""What several faults do to a fleet."""

from __future__ import annotations

import numpy as np

from bench.simulation.fleet import MINUTE_MS, POLLERS, Fleet
from bench.simulation.signals import Signal, smooth_noise


def raise_to(
    fleet: Fleet, signal: Signal, day: float, minutes: float, level: float, noise: float = 0.5
) -> None:
    """Lifts the signal to a level for a while."""
    start_ms = fleet.clock.at(day)
    during = signal.during(start_ms, start_ms + minutes * MINUTE_MS)
    signal.value[during] = level + noise * np.clip(smooth_noise(fleet.random, int(during.sum())), -2, 2)


def poller_of(fleet: Fleet, device: str) -> str:
    """The host that asks the device."""
    return POLLERS[fleet.devices.index(device) % 2]
