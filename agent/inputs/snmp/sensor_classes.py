"""The classes of ``snmp_sensor``."""

from __future__ import annotations

SENSOR_CLASSES = {
    "airflow": "m³/h",
    "ber": "ratio",
    "bitrate": "bit/s",
    "charge": "%",
    "chromatic_dispersion": "ps/nm",
    "cooling": "W",
    "count": "",
    "current": "A",
    "dbm": "dBm",
    "delay": "s",
    "eer": "ratio",
    "fanspeed": "rpm",
    "frequency": "Hz",
    "humidity": "%",
    "load": "%",
    "loss": "%",
    "percent": "%",
    "power": "W",
    "power_consumed": "kWh",
    "power_factor": "ratio",
    "pressure": "kPa",
    "quality_factor": "dB",
    "runtime": "s",
    "signal": "dBm",
    "snr": "dB",
    "state": "",
    "temperature": "°C",
    "tv_signal": "dBmV",
    "voltage": "V",
    "waterflow": "l/s",
}
"""Each with the unit of its ``value``."""
