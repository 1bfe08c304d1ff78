"""Statistics on frames and arrays: intervals, differences, stopping rules, warm-up, selection."""
