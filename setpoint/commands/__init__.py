"""One module per group of commands: wiring only."""
