"""Texts and listwise prompts to unit vectors."""
