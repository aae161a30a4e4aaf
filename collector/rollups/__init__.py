"""Rollups: what every hour showed of every planned subject, kept for years."""
