"""From trains of samples to findings; no I/O, no clock."""
