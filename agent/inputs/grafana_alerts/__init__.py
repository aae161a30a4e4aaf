"""Reads the thresholds that Grafana's alert rules hold."""
