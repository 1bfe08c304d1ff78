"""The command line as ``python -m twin``."""

from twin.cli.app import main

main()
