"""The live desk: an HTTP API and a page on the same assistant that the twin simulates."""
