"""A simulated fleet: hosts, devices and tools over a month, with planted faults. Nothing here is real."""
