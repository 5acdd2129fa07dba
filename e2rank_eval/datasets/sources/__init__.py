"""Sources of files: the user's Python package index, the Hugging Face hub, and plain URLs."""
