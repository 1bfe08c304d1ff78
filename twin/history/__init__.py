"""From a desk's history to a scenario."""
