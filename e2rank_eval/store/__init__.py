"""The only reader and writer of artefacts."""
