"""Prompt wordings as data, each with its source, and how texts are cut to fit them."""
