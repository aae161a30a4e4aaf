"""What chosen processes use, and how many of them there are."""
