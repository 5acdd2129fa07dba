"""Where bytes come from: the user's Python package index and the Hugging Face hub."""
