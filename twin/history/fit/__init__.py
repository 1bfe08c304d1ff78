"""Estimates of the parts of a desk from its history, each with its interval."""
