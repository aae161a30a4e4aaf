"""Finds out what each device is, and reads what matters from it over SNMP."""
