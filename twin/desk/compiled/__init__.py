"""The desk compiled: plays some desks many times as fast as SimPy, with the same tables."""
