"""The first stages, one module each."""
