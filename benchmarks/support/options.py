"""The command line that the scripts of this folder share."""

from __future__ import annotations

import argparse
from pathlib import Path


def options(usage: str, *, threads: int = 2, **numbers: int) -> argparse.ArgumentParser:
    """Return a parser with --cache, --threads and --<name> for each of ``numbers``, its default."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="models and data sets")
    for name, default in {"threads": threads, **numbers}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    return parser
