"""The zabbix_triggers input: thresholds in the triggers of a Zabbix."""
