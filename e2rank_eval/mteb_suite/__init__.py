"""The embedding side, through mteb itself: our models behind its protocols, its tasks, its result files."""
