"""Recordings of live models, and their replay."""
