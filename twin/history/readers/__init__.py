"""Readers of help desks' exports, one file a tool."""
