"""Rosters: agents needed by interval, shifts that give them, and what the simulation says."""
