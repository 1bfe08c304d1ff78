"""Studies: scenarios with varied keys, read from a file, played, kept and judged."""
