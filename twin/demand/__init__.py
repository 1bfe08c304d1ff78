"""Every ticket and all its luck, drawn before the clock starts."""
