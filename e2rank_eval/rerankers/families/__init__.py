"""One module per reranker family: its settings, what they build, what it costs; each registers itself."""
