"""Replications, runs, comparisons and studies."""
