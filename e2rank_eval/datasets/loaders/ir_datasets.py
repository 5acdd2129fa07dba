"""Loader of any collection of the library ir_datasets, streamed from the library's files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.library import home, required_agreement
from e2rank_eval.datasets.loaders import LOADERS, Loaded, Request, judged
from e2rank_eval.datasets.sources import download, hub
from e2rank_eval.datasets.sources.fetch import offline
from e2rank_eval.datasets.sources.kinds import Download, UrlSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.progress import track
from e2rank_eval.records import Document
from e2rank_eval.store.corpus import Read, StreamedCorpus
from e2rank_eval.store.locks import exclusive

_EXCLUDED = -100
"""The grade with which the library marks BRIGHT's excluded ids."""

_LOCK_WAIT = 3600.0
"""Seconds to wait for another process that prepares the same collection."""


def load(
    name: str,
    identifier: str,
    *,
    query_field: str = "text",
    rewritten: str | None = None,
    distributed_text: bool = False,
) -> Loaded:
    """Load the collection ``identifier``; the text of a query is its ``query_field``.

    ``rewritten`` names a set of BRIGHT's rewritten queries, such as ``gpt4_reason``, which replace the
    queries as in the benchmark's run.py. ``distributed_text`` keeps the encoding faults of MS MARCO's
    distributed passages, as Lucene and the papers do; the library repairs them.

    Raises
    ------
    UnavailableError
        When files require an agreement (the message says how to get them), or cannot be fetched or read.
    InputError
        When the library does not know the id, its queries lack the field, a judged query has no text, or a
        judgement is repeated with another grade.
    """
    agreement = required_agreement(identifier)
    if agreement is not None:
        raise UnavailableError(f"{identifier}: only you can provide it: {agreement}")
    library = _library()
    collection = identifier.split("/")[0]
    try:
        theirs = library.load(identifier)
    except KeyError as error:
        raise InputError(
            f"ir_datasets does not know {identifier!r}", hint="see e2rank-eval list datasets --all"
        ) from error
    # The library unpacks and indexes files at their first use, without locks.
    with exclusive(home() / f".{collection}.lock", what=f"preparing {collection}", wait=_LOCK_WAIT):
        try:
            qrels, exclusions = _judgements(theirs, identifier)
            if rewritten is None:
                queries = _texts(theirs, identifier, query_field)
            else:
                queries = _rewritten(library, identifier, rewritten)
            read: Read = partial(_documents, theirs, identifier)
            if distributed_text:
                read = partial(_distributed, _file(library, "msmarco-passage", "collectionandqueries"))
            corpus = StreamedCorpus(read, identifier, hint="fetch it again")
        except (OSError, RuntimeError, EOFError) as error:
            raise UnavailableError(f"ir_datasets cannot read {identifier}: {error}") from error
    return judged(name, corpus, queries, qrels, exclusions)


@cache
def _library() -> Any:
    """Import the library, and let this suite download its files.

    The library resumes a download only within one process, does not support a mirror or another address of
    the hub, and has no option for another HTTP client.
    """
    import ir_datasets

    theirs = ir_datasets.util.Download.path

    def path(self: Any, force: bool = True) -> Any:
        if force:
            _fetch_ahead(self, ir_datasets.util)
        return theirs(self, force)

    ir_datasets.util.Download.path = path
    return ir_datasets


def _fetch_ahead(one: Any, util: Any) -> None:
    """Download a file of the library to ``downloads/<MD5>`` in its home folder, from where it copies it."""
    addresses = [mirror for mirror in one.mirrors if isinstance(mirror, util.RequestsDownload)]
    cached = one._cache_path is not None and Path(one._cache_path).exists()
    if cached or not addresses or one.expected_md5 is None:
        return
    local = home() / "downloads" / one.expected_md5
    if not local.exists():
        if offline():
            raise UnavailableError(f"{addresses[0].url} is not in {local.parent}, and E2RANK_OFFLINE is set")
        file = Download(
            urls=[mirror.url.replace("https://huggingface.co", hub.endpoint(), 1) for mirror in addresses],
            name=one.expected_md5,
            md5=one.expected_md5,
            headers=addresses[0].headers or {},
        )
        download.take(UrlSource(kind="url", downloads=[file]), local.parent)
    one.mirrors = [util.LocalDownload(local, mkdir=False)]


def _file(library: Any, collection: str, key: str) -> Path:
    """Return the path of one of the library's downloads, fetched if missing."""
    context = library.util.DownloadConfig.context(collection, home() / collection)
    return Path(context[key].path())


def _judgements(theirs: Any, identifier: str) -> tuple[dict[str, dict[str, int]], dict[str, set[str]]]:
    qrels: dict[str, dict[str, int]] = {}
    exclusions: dict[str, set[str]] = {}
    for one in theirs.qrels_iter():
        if one.relevance == _EXCLUDED:
            exclusions.setdefault(one.query_id, set()).add(one.doc_id)
        elif qrels.setdefault(one.query_id, {}).setdefault(one.doc_id, one.relevance) != one.relevance:
            raise InputError(
                f"query {one.query_id!r} and document {one.doc_id!r} have two grades", path=identifier,
                hint="choose another collection; some are judged once for each subtopic",
            )  # fmt: skip
    return qrels, exclusions


def _texts(theirs: Any, identifier: str, field: str) -> Mapping[str, str]:
    known = theirs.queries_cls()._fields
    if field not in known:
        raise InputError(f"queries of {identifier} have no {field!r}", hint=f"fields: {', '.join(known)}")
    return {one.query_id: getattr(one, field) for one in theirs.queries_iter()}


def _rewritten(library: Any, identifier: str, field: str) -> Mapping[str, str]:
    from pyarrow import parquet  # type: ignore[import-untyped]

    split = identifier.split("/")[1].removesuffix("-long")
    table = parquet.read_table(_file(library, "bright", f"{split}/{field}/queries"), columns=["id", "query"])
    return {str(row["id"]): row["query"] for row in table.to_pylist()}


def _documents(theirs: Any, identifier: str) -> Iterator[tuple[None, Document]]:
    for one in track(theirs.docs_iter(), description=identifier):
        if hasattr(one, "text"):
            yield None, Document(one.doc_id, one.text or "", getattr(one, "title", "") or "")
        else:
            yield None, Document(one.doc_id, one.default_text())


def _distributed(archive: Path) -> Iterator[tuple[int, Document]]:
    with tarfile.open(archive, "r|gz") as members:
        for member in members:
            content = members.extractfile(member) if member.name == "collection.tsv" else None
            if content is not None:
                for number, line in enumerate(content, start=1):
                    identifier, _, text = line.decode().rstrip("\r\n").partition("\t")
                    yield number, Document(identifier, text)
                return


def _requested(request: Request) -> Loaded:
    options = dict(request.options)
    return load(request.name, options.pop("id"), **options)


LOADERS.add("ir_datasets", _requested)
