"""What the scripts of this folder share: texts, and the clock that lets two sides take turns."""
