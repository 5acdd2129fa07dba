"""What the paper printed: its tables and claims as data, their audit, and our values beside them."""
