"""Studies: what is varied and what is asked of it, read from a file, played, kept and judged."""
