"""The only reader and writer of stored files."""
