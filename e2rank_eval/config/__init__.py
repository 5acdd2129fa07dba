"""The experiment configuration (config/*.yaml): its fields, their ranges, and how it is read."""

from e2rank_eval.config.experiment import Configuration, one_system, parse_configuration, read_configuration

__all__ = ["Configuration", "one_system", "parse_configuration", "read_configuration"]
