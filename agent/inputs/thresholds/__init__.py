"""What every input that reads configured thresholds shares."""
