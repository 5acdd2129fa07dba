"""From runs to numbers: effectiveness, significance, comparisons and latency."""
