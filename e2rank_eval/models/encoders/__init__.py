"""Encoders: texts and listwise prompts to unit vectors."""
