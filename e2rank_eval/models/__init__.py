"""Models: encoders, language models, and the checkpoints that they are loaded from."""
