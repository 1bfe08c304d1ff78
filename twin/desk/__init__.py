"""The desk on its SimPy clock: the only room that imports simpy."""
