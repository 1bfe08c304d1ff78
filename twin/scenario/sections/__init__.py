"""The sections of a scenario file: frozen pydantic models, one room a subject."""
