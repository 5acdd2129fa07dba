"""The candidate lists that E2Rank's authors published: fetched, and checked against the corpus."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from e2rank_eval.config import FirstStageSettings
from e2rank_eval.datasets.sources.fetch import Fetched, fetch
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import InputError
from e2rank_eval.records import CandidateIds, Dataset
from e2rank_eval.retrieval.base import FIRST_STAGES, Context, Finder, Found
from e2rank_eval.store.files import read_jsonl

REPOSITORY = "liuqi6777/retrieval_results"

# As scripts/eval.sh of Alibaba-NLP/E2Rank names them where this registry's ids differ; BRIGHT's do not.
_NAMES = {
    "trec-covid": "covid",
    "nfcorpus": "nfc",
    "webis-touche2020": "touche",
    "dbpedia-entity": "dbpedia",
    "signal1m": "signal",
    "trec-news": "news",
}


def fetch_lists(lists: str, dataset: str, cache: Path, *, revision: str | None = None) -> Fetched:
    """Fetch ``<lists>/<name>_top100.jsonl`` of :data:`REPOSITORY`, its only file, into ``cache/candidates``.

    Raises
    ------
    UnavailableError
        When neither the hub nor its cache has it.
    """
    file = f"{lists}/{_NAMES.get(dataset, dataset)}_top100.jsonl"
    source = HubSource(
        kind="hub", repository=REPOSITORY, repository_type="dataset", revision=revision, files=[file]
    )
    return fetch(f"{dataset} {lists}", [source], cache / "candidates" / lists / dataset, {})


def read_lists(path: Path, dataset: Dataset, depth: int) -> list[CandidateIds]:
    """Read the first ``depth`` hits of every query of ``dataset`` that are not excluded for it.

    A line is ``{"query": text, "hits": [{"qid", "docid", "rank", "score", "content"}, ...]}``. Lines of
    other queries are skipped; the corpus's text counts, not ``content``.

    Raises
    ------
    InputError
        Naming file and line: another layout, a document that the corpus lacks or that repeats, a
        query twice or not at all, ranks that do not ascend.
    """
    found: dict[str, CandidateIds] = {}
    for number, row in read_jsonl(path):
        for query_id, hits in _hits(row, path, number):
            if query_id in found:
                raise InputError(f"query {query_id!r} appears twice", path=path, line=number)
            if query_id in dataset.queries:
                excluded = dataset.exclusions.get(query_id, frozenset())
                kept = [hit for hit in hits if str(hit["docid"]) not in excluded][:depth]
                found[query_id] = CandidateIds(
                    query_id,
                    tuple(_known(str(hit["docid"]), dataset.corpus, path, number) for hit in kept),
                    tuple(float(hit["score"]) for hit in kept),
                )
    missing = [query_id for query_id in dataset.queries if query_id not in found]
    if missing:
        raise InputError(
            f"no candidates for {len(missing)} of {len(dataset.queries)} queries, such as {missing[0]!r}",
            path=path,
            hint="use another first stage for this data set, or the variant of it that these lists are of",
        )
    return [found[query_id] for query_id in dataset.queries]


def _hits(row: Mapping[str, Any], path: Path, number: int) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield the query's id, which each hit repeats, and its hits; nothing where there is no hit."""
    hits = row.get("hits")
    keys = {"qid", "docid", "rank", "score"}
    if not isinstance(hits, list) or not all(isinstance(hit, dict) and keys <= hit.keys() for hit in hits):
        raise InputError(f"no hits with {', '.join(sorted(keys))}", path=path, line=number)
    ranks, documents = [hit["rank"] for hit in hits], {str(hit["docid"]) for hit in hits}
    if len({str(hit["qid"]) for hit in hits}) > 1 or ranks != sorted(ranks) or len(documents) < len(hits):
        raise InputError(
            "hits of several queries, a repeated document, or ranks that do not ascend",
            path=path,
            line=number,
        )
    if hits:
        yield str(hits[0]["qid"]), hits


def _known(identifier: str, corpus: Collection[str], path: Path, number: int) -> str:
    if identifier not in corpus:
        raise InputError(
            f"document {identifier!r} is not in the corpus", path=path, line=number,
            hint="use the variant of the data set that these lists are of",
        )  # fmt: skip
    return identifier


def build(settings: FirstStageSettings, context: Context) -> Finder:
    def find(dataset: Dataset) -> Found:
        name = context.configuration.registry_id(dataset.id) or dataset.id
        lists, cache = str(settings.lists), context.configuration.cache
        found = fetch_lists(lists, name, cache, revision=settings.revision)
        ((file, sha256),) = found.files.items()
        origin = {"revision": found.revision, "sha256": sha256}
        return read_lists(found.path / file, dataset, context.depth), origin

    return find


FIRST_STAGES.add("published", build)
