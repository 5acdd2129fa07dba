"""Common command-line options of the benchmarks."""

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


def with_qwen3(parser: argparse.ArgumentParser) -> argparse.Namespace | None:
    """Parse the options of benchmarks on random Qwen3 models; without a tokenizer, return None."""
    parser.add_argument("--tokenizer", type=Path, help="folder with a Qwen3 tokenizer")
    parser.add_argument("--lists", type=Path, help="training lists; default: docstrings")
    parser.add_argument("--output", type=Path, help="write what is measured here too, as JSON")
    given = parser.parse_args()
    if given.tokenizer is None:
        print("skipped: --tokenizer names no folder with a Qwen3 tokenizer")
        return None
    return given
