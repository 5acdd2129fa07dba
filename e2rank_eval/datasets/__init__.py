"""Test collections: loaded from where they are published, checked, and written in one layout."""
