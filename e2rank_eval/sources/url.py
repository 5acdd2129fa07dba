"""One file at a public address, whole and with the hash that the registry states."""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.registry.entries import UrlSource
from e2rank_eval.store.files import sha256_file

BACK_OFF = (1.0, 3.0)
"""Seconds to wait before the second and the third attempt."""
PATIENCE = 20.0
"""Seconds without an answer after which an attempt has failed."""


def take(source: UrlSource, folder: Path) -> None:
    """Download the file into ``folder``; proxies are those of the environment.

    Raises
    ------
    UnavailableError
        When the server does not answer, has no such file or breaks off three times.
    InputError
        When the file is not the one that the registry names.
    """
    target = folder / source.name
    for seconds in (*BACK_OFF, None):
        try:
            with urllib.request.urlopen(source.url, timeout=PATIENCE) as answer, target.open("wb") as written:
                shutil.copyfileobj(answer, written)
                expected = answer.headers.get("Content-Length")
            if expected is None or target.stat().st_size == int(expected):
                break
            failure = f"broke off after {target.stat().st_size} of {expected} bytes"
        except urllib.error.HTTPError as error:
            failure = f"answered {error.code} {error.reason}"
            if error.code < 500:
                seconds = None
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            failure = f"did not answer ({getattr(error, 'reason', error)})"
        if seconds is None:
            raise UnavailableError(f"{source.url} {failure}")
        time.sleep(seconds)
    found = sha256_file(target)
    if found != source.sha256:
        raise InputError(
            f"sha256 is {found} instead of {source.sha256}", path=source.url, mend="do not trust this source"
        )
