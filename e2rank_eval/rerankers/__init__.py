"""Reranker families behind one protocol, run in resumable shards."""
