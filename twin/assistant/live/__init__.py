"""Live models, through the official SDK."""
