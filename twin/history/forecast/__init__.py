"""Arrivals ahead of a history, with bands, and the scenario that plays them."""
