"""The scenario: what a desk is, as frozen data, and how it is read from files."""
