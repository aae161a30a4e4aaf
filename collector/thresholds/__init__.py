"""The thresholds that are configured elsewhere: as they were read, and against the plan."""
