"""Data inside a page: JSON, compressed, in letters that no markup is made of."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

from markupsafe import Markup

from e2rank_eval.store.files import canonical_json

_BLOCK = r'<script type="application/gzip" id="{}">([A-Za-z0-9+/=]*)</script>'


def embed(identifier: str, value: Any) -> Markup:
    """A data block that static/embedded.js reads back by its id; a browser never runs it.

    A page opened from disk can fetch nothing, so it holds its data. Base64 has no ``<``: whatever a
    collection's texts contain, they cannot end the block.
    """
    content = base64.b64encode(gzip.compress(canonical_json(value).encode(), 6, mtime=0)).decode()
    return Markup('<script type="application/gzip" id="{}">{}</script>').format(identifier, content)


def extract(page: str, identifier: str) -> Any:
    """What :func:`embed` put into a page; None where there is no such block."""
    found = re.search(_BLOCK.format(re.escape(identifier)), page)
    return None if found is None else json.loads(gzip.decompress(base64.b64decode(found[1])))
