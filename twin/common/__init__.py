"""Errors, files, texts and markup that all other rooms use."""
