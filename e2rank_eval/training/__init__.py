"""Training: the paper's two stages, its baselines' training, and labelling by a teacher."""
