"""Articles, and finding the one that fits."""
