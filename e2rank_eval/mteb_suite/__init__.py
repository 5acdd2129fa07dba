"""Evaluation of models on mteb's tasks: adapters to mteb's protocols, local tasks, result files."""
