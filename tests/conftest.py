"""Fixtures that start real servers. They end with the test, whatever happens in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Broker, EmbeddedBroker, Mosquitto

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("setpoint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("setpoint")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto that lets everybody do everything."""
    with Mosquitto(tmp_path / "mosquitto") as server:
        yield server


@pytest.fixture
def secured_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto with the configuration and the ACL that Setpoint ships."""
    with Mosquitto(tmp_path / "mosquitto", secured=True) as server:
        yield server


@pytest.fixture
def embedded_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """The broker of single-box mode."""
    with EmbeddedBroker(tmp_path / "data") as server:
        yield server


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker that Setpoint ships a configuration for; ``broker.login(name, role)`` lets a client in."""
    server: Broker = request.getfixturevalue(
        {"mosquitto": "secured_mosquitto", "amqtt": "embedded_broker"}[request.param]
    )
    return server
