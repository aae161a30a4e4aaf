"""Runs on an operations host: inputs, outbox, publisher."""
