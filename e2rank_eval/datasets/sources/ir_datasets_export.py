"""A data set that the library ir_datasets reads, written out in BEIR layout."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.sources import download
from e2rank_eval.datasets.sources.kinds import Download, IrDatasetsSource, UrlSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.progress import say, track
from e2rank_eval.store.files import write_jsonl
from e2rank_eval.store.trec import write_qrels

BACK_OFF = (2.0, 10.0)
"""Seconds before each further attempt, where the library itself downloads."""

_EXCLUDED = -100
"""The grade by which ir_datasets marks BRIGHT's excluded ids."""


def take(source: IrDatasetsSource, folder: Path) -> str:
    """Write corpus.jsonl.gz, queries.jsonl, qrels.tsv and exclusions.jsonl, and return the library's version.

    Its files stay in ir_datasets' own home (``IR_DATASETS_HOME``), where another program finds them.
    A document's text is what the library takes for its text, without the title where it has one.

    Raises
    ------
    UnavailableError
        When the library cannot be imported or cannot get its files.
    InputError
        When it does not know the id, or its queries lack the field that the registry names.
    """
    # Else the library looks for nothing below 5 MB among the files that were fetched ahead.
    os.environ.setdefault("IR_DATASETS_SMALL_FILE_SIZE", "0")
    import ir_datasets

    _fetch_ahead(source, ir_datasets)
    try:
        dataset = ir_datasets.load(source.id)
    except KeyError as error:
        raise InputError(
            f"ir_datasets does not know {source.id!r}", hint="fix the id in the registry"
        ) from error
    for seconds in (*BACK_OFF, None):
        try:
            _write(dataset, source, folder)
            break
        except (OSError, RuntimeError, EOFError) as error:
            if seconds is None or isinstance(error, FileNotFoundError):
                raise UnavailableError(f"ir_datasets cannot read {source.id}: {error}") from error
            say(f"ir_datasets {source.id}: {error}; again in {seconds:.0f} s")
            time.sleep(seconds)
    return metadata.version("ir_datasets")


def _fetch_ahead(source: IrDatasetsSource, library: Any) -> None:
    """Put files where ir_datasets looks for local copies before it downloads: downloads/<MD5> of its home.

    The library resumes a download within one process only, asks for credentials, and reads no mirror of
    the user's.
    """
    contents = library.util.DownloadConfig.contents()
    home = Path(library.util.home_path())
    for key in source.downloads:
        collection, name = key.split("/", 1)
        facts = contents[collection][name]
        md5 = facts["expected_md5"]
        cached = "cache_path" in facts and (home / collection / facts["cache_path"]).exists()
        if cached or (home / "downloads" / md5).exists():
            continue
        mirrors = [f"https://mirror.ir-datasets.com/{md5}"] if facts.get("irds_mirror") else []
        one = Download(
            urls=[facts["url"], *mirrors],
            name=md5,
            md5=md5,
            headers=facts.get("download_args", {}).get("headers", {}),
        )
        download.take(UrlSource(kind="url", downloads=[one]), home / "downloads")


def _write(dataset: Any, source: IrDatasetsSource, folder: Path) -> None:
    qrels: dict[str, dict[str, int]] = {}
    exclusions: dict[str, set[str]] = {}
    for judgement in dataset.qrels_iter():
        if judgement.relevance == _EXCLUDED:
            exclusions.setdefault(judgement.query_id, set()).add(judgement.doc_id)
        else:
            qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
    write_qrels(folder / "qrels.tsv", qrels)
    write_jsonl(folder / "queries.jsonl", _queries(dataset, source))
    rows = ({"query_id": q, "document_ids": sorted(ids)} for q, ids in exclusions.items())
    write_jsonl(folder / "exclusions.jsonl", rows)
    documents = track(dataset.docs_iter(), description=source.id, total=dataset.docs_count())
    write_jsonl(folder / "corpus.jsonl.gz", map(_document, documents))


def _queries(dataset: Any, source: IrDatasetsSource) -> Iterator[dict[str, str]]:
    for query in dataset.queries_iter():
        if not hasattr(query, source.query_field):
            known = ", ".join(query._fields)
            raise InputError(
                f"queries of {source.id} have no {source.query_field!r}", hint=f"fields: {known}"
            )
        yield {"_id": query.query_id, "text": getattr(query, source.query_field)}


def _document(document: Any) -> dict[str, str]:
    title = getattr(document, "title", "") or ""
    text = document.text if hasattr(document, "text") else document.default_text()
    return {"_id": document.doc_id, "title": title, "text": text}
