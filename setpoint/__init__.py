"""The vocabulary that agent and collector share, and the command line."""
