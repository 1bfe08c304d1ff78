"""The feedback loop: examples and prompt versions that improve answers."""
