"""The small checkpoints of the encoders' tests, for those of references too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "encoders"))
