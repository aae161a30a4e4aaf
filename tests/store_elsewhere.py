"""Stores that the environment names, because they cannot be installed from Debian."""

from __future__ import annotations

import os
import uuid

from collector.store.settings import InfluxDBSettings
from setpoint.units import Duration, Secret


def influxdb_elsewhere(generation: str) -> InfluxDBSettings | None:
    """A new database of the InfluxDB that SETPOINT_TEST_INFLUXDB2_URL, _TOKEN and _ORG name, or
    SETPOINT_TEST_INFLUXDB3_URL and _TOKEN; None where nothing does. What the tests write stays there.
    """

    def given(what: str) -> str:
        return os.environ.get(f"SETPOINT_TEST_INFLUXDB{generation}_{what}", "")

    if not given("URL"):
        return None
    return InfluxDBSettings(
        url=given("URL"),
        database=f"setpoint-test-{uuid.uuid4().hex[:12]}",
        organization=given("ORG"),
        token=Secret(given("TOKEN")) if given("TOKEN") else None,
        retention=Duration(30 * 86_400_000),
    )
