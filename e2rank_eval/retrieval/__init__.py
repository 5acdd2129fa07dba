"""First stages: which documents are proposed for a query, and in which order."""
