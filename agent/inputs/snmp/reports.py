"""What the reports of SNMPv3 say about credentials: usmStats of RFC 3414, section 5."""

from __future__ import annotations

from agent.inputs.snmp.credentials import Credentials

_STATS = "1.3.6.1.6.3.15.1.1."
STALE_REPORTS = {f"{_STATS}2.0", f"{_STATS}4.0"}
"""usmStatsNotInTimeWindows and usmStatsUnknownEngineIDs: the device has restarted, or was replaced."""


def reason_of_report(oid: str, credentials: Credentials) -> str:
    """What a report says about these credentials."""
    user = f'user "{credentials.user}"'
    return {
        f"{_STATS}1.0": f"the device does not take {credentials.level} from {user}",
        f"{_STATS}3.0": f"the device does not know {user}",
        f"{_STATS}5.0": f"wrong password or protocol in auth of {user}",
        f"{_STATS}6.0": f"wrong password or protocol in priv of {user}",
        "1.3.6.1.6.3.12.1.5.0": f'the device has no context "{credentials.context}"',
    }.get(oid, f"the device answered with the report {oid}")
