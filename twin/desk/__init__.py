"""The desk on its SimPy clock: the only room that imports simpy."""

from twin.desk.simulation import simulate

__all__ = ["simulate"]
