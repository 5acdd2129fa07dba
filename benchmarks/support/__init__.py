"""Common parts of the benchmarks: texts, judges, models with random weights, and timing in turns."""
