"""Reads the thresholds that alert rules of Prometheus, or of what speaks its language, hold."""
