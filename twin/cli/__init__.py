"""The command line, a module a group of commands; begin with ``app``."""
