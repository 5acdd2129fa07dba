"""The graph of a configuration: every job and file that the workflow's rules read off it."""

from e2rank_eval.graph.whole import FIGURE_SUFFIXES, TABLE_SUFFIXES, Graph

__all__ = ["FIGURE_SUFFIXES", "TABLE_SUFFIXES", "Graph"]
