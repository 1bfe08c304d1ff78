"""Figures and series from records."""
