"""Connectors to help desks: histories pulled, and new tickets answered."""
