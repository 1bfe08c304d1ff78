"""Fidelity: two sets of records compared, the twin's with those of the desk."""
