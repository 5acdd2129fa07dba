"""Reproducible evaluation of E2Rank (arXiv 2510.22733) and its baselines."""

__version__ = "0.1.0"
