"""Start-up of the command line: `e2rank-eval --help` against importing what its commands import."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 7
COMMANDS = {
    "e2rank-eval --help": ["-m", "e2rank_eval", "--help"],
    "an empty Python program": ["-c", "pass"],
    "import torch, transformers": ["-c", "import torch, transformers"],
}


def main() -> None:
    """Print the median seconds of each command, interleaved in one run, and their ratio to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:28} {median:6.3f} s   {median / first:5.2f} x")


if __name__ == "__main__":
    main()
