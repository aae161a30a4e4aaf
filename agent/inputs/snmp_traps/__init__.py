"""The input ``snmp_traps``: what devices report of their own accord."""
