"""The candidate lists of E2Rank's authors, fetched and checked against the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings, Name
from e2rank_eval.datasets.sources.fetch import Fetched, fetch
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import InputError
from e2rank_eval.records import CandidateIds, Dataset
from e2rank_eval.retrieval.base import Context, Finder, Found, first_allowed
from e2rank_eval.store.hits import read_hits

REPOSITORY = "liuqi6777/retrieval_results"

# Names in scripts/eval.sh of Alibaba-NLP/E2Rank that differ from this registry's ids.
_NAMES = {
    "trec-covid": "covid",
    "nfcorpus": "nfc",
    "webis-touche2020": "touche",
    "dbpedia-entity": "dbpedia",
    "signal1m": "signal",
    "trec-news": "news",
}


class PublishedSettings(FirstStageSettings):
    """The candidate lists of E2Rank's authors."""

    needs_hub = True

    searches = False

    retriever: Literal["published"]
    lists: Name = Field(description="folder of liuqi6777/retrieval_results, such as bm25 or reasonir")
    revision: str | None = Field(None, description="commit to pin; null: recorded when fetched")

    def build(self, context: Context) -> Finder:
        def find(dataset: Dataset) -> Found:
            name = context.configuration.registry_id(dataset.id) or dataset.id
            found = fetch_lists(self.lists, name, context.configuration.cache, revision=self.revision)
            ((file, sha256),) = found.files.items()
            origin = {"revision": found.revision, "sha256": sha256}
            return read_lists(found.path / file, dataset, context.depth), origin

        return find


def fetch_lists(lists: str, dataset: str, cache: Path, *, revision: str | None = None) -> Fetched:
    """Fetch the file ``<lists>/<name>_top100.jsonl`` of :data:`REPOSITORY` into ``cache/candidates``.

    Raises
    ------
    UnavailableError
        When neither the hub nor its local cache has the file.
    """
    file = f"{lists}/{_NAMES.get(dataset, dataset)}_top100.jsonl"
    source = HubSource(
        kind="hub", repository=REPOSITORY, repository_type="dataset", revision=revision, files=[file]
    )
    return fetch(f"{dataset} {lists}", [source], cache / "candidates" / lists / dataset, {})


def read_lists(path: Path, dataset: Dataset, depth: int) -> list[CandidateIds]:
    """Read the first ``depth`` hits of every query of ``dataset`` that are not excluded for it.

    Lists of other queries are skipped; texts are taken from the corpus, not from the file.

    Raises
    ------
    InputError
        Naming the file: an invalid layout, a repeated document or one that the corpus lacks, a repeated or
        missing query, ranks that do not ascend.
    """
    found: dict[str, CandidateIds] = {}
    for hits in read_hits(path):
        if hits.query_id in dataset.queries:
            scored = zip((document.id for document in hits.documents), hits.scores, strict=True)
            one = first_allowed(hits.query_id, scored, dataset, depth)
            unknown = next((i for i in one.document_ids if i not in dataset.corpus), None)
            if unknown is not None:
                raise InputError(
                    f"document {unknown!r} is not in the corpus", path=path,
                    hint="use the variant of the data set that these lists belong to",
                )  # fmt: skip
            found[hits.query_id] = one
    missing = [query_id for query_id in dataset.queries if query_id not in found]
    if missing:
        raise InputError(
            f"no candidates for {len(missing)} of {len(dataset.queries)} queries, such as {missing[0]!r}",
            path=path,
            hint="use another first stage for this data set, or the variant of it that these lists belong to",
        )
    return [found[query_id] for query_id in dataset.queries]


FIRST_STAGES.add("published", PublishedSettings)
