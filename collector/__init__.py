"""Runs in the middle: receiver, store, analysis, register, exports, API, page."""
