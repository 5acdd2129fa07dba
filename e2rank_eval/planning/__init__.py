"""Tokens by reranker family, until each family states its own."""
