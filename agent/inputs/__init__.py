"""The inputs, one module each, in one explicit table."""
