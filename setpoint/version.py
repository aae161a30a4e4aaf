"""The version of this installation."""

# Said here and not looked up through importlib.metadata, which costs an agent 2 MB of resident memory.
__version__ = "0.1.0"
VERSION = __version__
