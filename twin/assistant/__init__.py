"""Everything about language models; knows nothing of SimPy or simulated time."""
