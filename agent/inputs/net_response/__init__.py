"""Connects to TCP ports, and reports how fast they answered."""
