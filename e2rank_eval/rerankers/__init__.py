"""Reranker families behind one protocol, and the verb that runs them in resumable shards."""
