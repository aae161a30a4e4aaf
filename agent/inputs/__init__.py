"""The inputs, in one explicit table.

Only the settings are imported here: what an input needs to gather is imported when it is built, so an agent
pays for what its configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from agent.inputs.base import Input, InputSettings
from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings
from agent.inputs.host.settings import HostSettings
from agent.inputs.http_response.settings import HttpResponseSettings
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.net_response.settings import NetResponseSettings
from agent.inputs.procstat.settings import ProcstatSettings
from agent.inputs.prometheus_rules.settings import PrometheusRulesSettings
from agent.inputs.snmp.settings import SnmpSettings
from agent.inputs.snmp_traps.settings import SnmpTrapsSettings
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings

AnySettings = (
    GrafanaAlertsSettings
    | HostSettings
    | HttpResponseSettings
    | NagiosChecksSettings
    | NetResponseSettings
    | ProcstatSettings
    | PrometheusRulesSettings
    | SnmpSettings
    | SnmpTrapsSettings
    | ZabbixTriggersSettings
)
"""What stands in a list of inputs; the key ``input`` says which it is."""


class Entry(NamedTuple):
    """An input's settings, and ``module:class`` of what gathers with them."""

    settings: type[InputSettings]
    source: str


INPUTS: Mapping[str, Entry] = {
    "grafana_alerts": Entry(GrafanaAlertsSettings, "agent.inputs.grafana_alerts.input:GrafanaAlertsInput"),
    "host": Entry(HostSettings, "agent.inputs.host.input:HostInput"),
    "http_response": Entry(HttpResponseSettings, "agent.inputs.http_response.input:HttpResponseInput"),
    "nagios_checks": Entry(NagiosChecksSettings, "agent.inputs.nagios_checks.input:NagiosChecksInput"),
    "net_response": Entry(NetResponseSettings, "agent.inputs.net_response.input:NetResponseInput"),
    "procstat": Entry(ProcstatSettings, "agent.inputs.procstat.input:ProcstatInput"),
    "prometheus_rules": Entry(
        PrometheusRulesSettings, "agent.inputs.prometheus_rules.input:PrometheusRulesInput"
    ),
    "snmp": Entry(SnmpSettings, "agent.inputs.snmp.input:SnmpInput"),
    "snmp_traps": Entry(SnmpTrapsSettings, "agent.inputs.snmp_traps.input:SnmpTrapsInput"),
    "zabbix_triggers": Entry(
        ZabbixTriggersSettings, "agent.inputs.zabbix_triggers.input:ZabbixTriggersInput"
    ),
}


def build(settings: InputSettings) -> Input:
    """The input that these settings describe. Connects to nothing. KeyError for settings of no input."""
    sources = {entry.settings: entry.source for entry in INPUTS.values()}
    module, _, name = sources[type(settings)].partition(":")
    source: Input = getattr(import_module(module), name)(settings)
    return source
