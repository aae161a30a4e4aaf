"""Asks web servers, and reports how fast and with what they answered."""
