"""Before anything runs: what a machine lacks for it, and what it would take."""
