"""The nagios_checks input: thresholds of the checks of Icinga and Nagios."""
