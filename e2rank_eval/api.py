"""The Python interface: load rerankers, data sets and runs; retrieve, rerank, evaluate and compare."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from e2rank_eval.errors import InputError
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query
from e2rank_eval.registry import nearest
from e2rank_eval.store import trec
from e2rank_eval.store.collections import with_documents
from e2rank_eval.store.corpus import selected
from e2rank_eval.store.trec import Run

if TYPE_CHECKING:
    from e2rank_eval.models.encoders.base import Encoder
    from e2rank_eval.models.language_models import LanguageModel
    from e2rank_eval.models.loading import Models
    from e2rank_eval.rerankers.base import Reranker as Ranker
    from e2rank_eval.store.results import Comparison, Metrics

__all__ = [
    "Reranker",
    "compare",
    "evaluate",
    "load_dataset",
    "load_encoder",
    "load_language_model",
    "load_reranker",
    "read_run",
    "rerank",
    "retrieve",
    "write_run",
]

CACHE = Path("cache")
"""Where models, data sets and vectors are kept, relative to the working folder."""

SEED = 13
_SHARD = 16
"""Queries in one resumable unit of work."""

_MADE_BY = {"Dataset": "load_dataset", "Run": "read_run or retrieve", "Reranker": "load_reranker"}


class Reranker:
    """A loaded reranker of any family; ``settings`` are its settings as written in a configuration."""

    def __init__(self, ranker: Ranker, settings: Mapping[str, Any]) -> None:
        self.ranker = ranker
        self.settings = dict(settings)

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: int | None = None,
        *,
        return_documents: bool = False,
    ) -> list[dict[str, Any]]:
        """Return ``documents`` best first, as ``sentence_transformers.CrossEncoder.rank`` does.

        Each item is ``{"corpus_id": position in documents, "score": ...}``, with ``return_documents`` also
        ``"text"``. ``score`` is the model's score or, for families without scores such as listwise
        generation, n, n-1, ..., 1. Equal scores keep the given order. Listwise families take the given order
        as that of a first stage.

        Raises
        ------
        InputError
            When the query is empty, or the model cannot process the query or a document.
        """
        documents = documents if isinstance(documents, str) else list(documents)
        if isinstance(documents, str) or not all(isinstance(one, str) for one in (query, *documents)):
            raise InputError("a query is one string, and documents are a list of them")
        if not query.strip():
            raise InputError("the query is empty", hint="give a query with at least one word")
        listed = [Candidate(Document(str(i), text), -i) for i, text in enumerate(documents)]
        if not listed:
            return []
        (ranking,) = self.ranker.rank_candidates(
            [Query("query", query)], [CandidateList("query", tuple(listed))]
        )
        scores = ranking.stats.scores
        found = []
        for rank, position in enumerate(ranking.order[:top_k]):
            score = float(len(documents) - rank if scores is None else scores[position])
            text = {"text": documents[position]} if return_documents else {}
            found.append({"corpus_id": position, "score": score, **text})
        return found

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.settings.items())
        return f"Reranker({options})"


def load_reranker(
    model: str | Path,
    *,
    family: str | None = None,
    cache: str | Path = CACHE,
    threads: int | None = None,
    seed: int = SEED,
    **options: Any,
) -> Reranker:
    """Load a reranker from a model's registry name, hub id (``org/name[@commit]``) or folder.

    ``family`` and ``options`` are as in ``rerankers`` of a configuration (``e2rank-eval list rerankers``).
    By default the checkpoint decides the family: ``cross-encoder`` for a model that scores pairs, ``e2rank``
    for an embedding model, ``pointwise-llm`` for a model with a known yes-or-no relevance prompt. A model
    that this suite trained also has defaults of its own for the options, those that it was trained with.

    Raises
    ------
    InputError
        When the model cannot be found or recognised, several families are possible (the message names
        them), or an option is wrong.
    UnavailableError
        When its files cannot be fetched.

    >>> load_reranker("all-minilm-l6-v2", family="e2rank", prompt="query-only")  # doctest: +SKIP
    Reranker(family='e2rank', model='all-minilm-l6-v2', prompt='query-only')
    """
    from e2rank_eval.config import one_system
    from e2rank_eval.models.entries import as_trained
    from e2rank_eval.rerankers.base import RerankContext

    models = _models(cache, threads)
    reference = _reference(model)
    given = {"family": family or _family(reference, models), "model": reference, **options}
    settings = as_trained(one_system({"rerankers": {"reranker": given}})).rerankers["reranker"]
    return Reranker(settings.build(RerankContext(models, seed)), settings.model_dump(exclude_unset=True))


def load_encoder(
    model: str | Path,
    *,
    prompt: str = "eval",
    document_tokens: int | None = None,
    cache: str | Path = CACHE,
    threads: int | None = None,
) -> Encoder:
    """Load an encoder; ``model`` is as in :func:`load_reranker`, and document vectors are kept in ``cache``.

    ``prompt`` selects the wording of a decoder's listwise prompt. Raises as :func:`load_reranker` does.
    """
    return _models(cache, threads).encoder(_reference(model), prompt=prompt, document_tokens=document_tokens)


def load_language_model(
    model: str | Path, *, cache: str | Path = CACHE, threads: int | None = None
) -> LanguageModel:
    """Load a causal language model, or connect to a server; ``model`` is as in :func:`load_reranker`."""
    return _models(cache, threads).language_model(_reference(model))


def load_dataset(name: str | Path, *, cache: str | Path = CACHE, seed: int = SEED) -> Dataset:
    """Load a test collection: a name of ``e2rank-eval list datasets``, or a folder in BEIR layout.

    Names include all ids of ir_datasets (``beir/nfcorpus/test``) and tasks of mteb (``mteb:NFCorpus``). The
    corpus stays on disk. Judgements are optional in a folder, all of whose queries are kept.

    Raises
    ------
    InputError
        For an unknown name, or malformed files.
    UnavailableError
        When the collection cannot be fetched.
    """
    from e2rank_eval.datasets.loaders import beir
    from e2rank_eval.datasets.loading import load_registered

    if not isinstance(name, str | Path) or name == "":
        raise InputError(f"{name!r} names no data set", hint="give a name or a folder")
    if (folder := Path(name)).is_dir():
        files = beir.find(folder, "test", unjudged=True)
        return beir.load(files, folder.resolve().name, unjudged=True)[0]
    if isinstance(name, Path) or name.startswith((".", "/", "~")) or name.endswith("/"):
        raise InputError("no such folder", path=name, hint="name the folder of a collection")
    return load_registered(str(name), Path(cache), seed=seed).dataset


def read_run(path: str | Path) -> Run:
    """Read a run in TREC or MS MARCO format, plain or compressed.

    Raises
    ------
    InputError
        When the file is malformed; the message names the file and line.
    """
    return trec.read_run(Path(path))


def write_run(run: Run, path: str | Path) -> None:
    """Write a run in TREC format, gzipped if the name ends in ``.gz``; its tag is the file's name.

    Scores are written as n, n-1, ..., 1, so that no evaluator reorders documents of equal scores.
    """
    _require(Run, run)
    tag = Path(str(path).removesuffix(".gz")).stem
    trec.write_run(Path(path), ((query, run.order(query)) for query in run.scores), tag)


def retrieve(
    dataset: Dataset,
    first_stage: str = "bm25",
    *,
    depth: int = 100,
    cache: str | Path = CACHE,
    threads: int | None = None,
    **options: Any,
) -> Run:
    """Retrieve ``depth`` candidates for every query.

    ``first_stage`` is a kind of retriever and ``options`` are its settings as in a configuration, such as
    ``model``.

    Raises
    ------
    InputError
        For an unknown first stage, a wrong option, or a model that cannot be used.
    """
    from e2rank_eval.config import one_system
    from e2rank_eval.retrieval.base import Context

    _require(Dataset, dataset)

    chosen = {"first_stages": {first_stage: {"retriever": first_stage, **options}}, "depth": depth}
    find = Context(one_system(chosen), _models(cache, threads), depth).finder(first_stage)
    found, _ = find(dataset)
    scores = {one.query_id: dict(zip(one.document_ids, one.scores, strict=True)) for one in found}
    ranks = {one.query_id: {d: n for n, d in enumerate(one.document_ids, start=1)} for one in found}
    return Run(scores, ranks)


def rerank(
    run: Run,
    dataset: Dataset,
    reranker: Reranker,
    *,
    depth: int = 100,
    missing: Literal["fail", "skip"] = "fail",
    cache: str | Path = CACHE,
) -> Run:
    """Rerank the first ``depth`` documents of every query of ``run``; documents below ``depth`` are dropped.

    Finished queries are kept in ``cache`` in groups of 16, so that a killed process resumes. Scores of the
    returned run are n, n-1, ..., 1, so that there are no ties.

    Raises
    ------
    InputError
        When the data set has no query of the run, or lacks a document of it and ``missing`` is ``fail``.
    QueryError
        When a query cannot be ranked; with ``on_error="keep-first-stage"`` it is logged instead.
    """
    from e2rank_eval.rerankers.execution import ranked_shards
    from e2rank_eval.retrieval.first_stages.run import run_candidates

    _require(Run, run)
    _require(Dataset, dataset)
    _require(Reranker, reranker)
    if depth < 1:
        raise InputError(f"depth {depth} is out of range", hint="give at least 1")
    found = run_candidates(run, dataset, depth, missing=missing)
    documents = selected(dataset.corpus, {i for one in found for i in one.document_ids})
    lists = [with_documents(one, documents) for one in found]
    queries = [dataset.queries[one.query_id] for one in lists]
    how = {"what": f"reranking {dataset.id}", "on_error": reranker.settings.get("on_error", "fail")}
    shards = ranked_shards(reranker.ranker, queries, lists, cache=Path(cache), size=_SHARD, **how)
    return run_of((row["query_id"], row["ranking"]) for shard in shards for row in shard.rows)


def run_of(rankings: Iterable[tuple[str, Sequence[str]]]) -> Run:
    """Return ``(query id, document ids best first)`` as a run with scores n, n-1, ..., 1."""
    return Run({q: {d: float(len(ids) - rank) for rank, d in enumerate(ids)} for q, ids in rankings})


def evaluate(
    run: Run, dataset: Dataset, measures: str | Sequence[str] = ("nDCG@10", "R@100"), *, seed: int = SEED
) -> Metrics:
    """Evaluate a run on every judged query as trec_eval does; the result prints as a table of means.

    ``measures`` are one or several names in the notation of ir_measures. A judged query that is missing from
    the run counts as 0. Means have bootstrap 95 % intervals.

    Raises
    ------
    InputError
        For an unknown measure, or a run without a judged query.
    """
    from e2rank_eval.evaluation.effectiveness import metrics_of, require_judged

    _require(Run, run)
    measures, qrels = [measures] if isinstance(measures, str) else measures, _qrels(dataset)
    require_judged(run, qrels, dataset.id)
    return metrics_of(run, qrels, measures, names=(dataset.id, "", ""), seed=seed)


def compare(
    runs: Mapping[str, Run], dataset: Dataset, baseline: str, measure: str = "nDCG@10", *, seed: int = SEED
) -> Comparison:
    """Test every run against ``baseline`` on the same queries; the result prints as a table.

    It has a paired randomisation test and t-test, Holm's correction, effect sizes, wins and losses.

    Raises
    ------
    InputError
        For an unknown measure, a baseline that is not one of ``runs``, or a run without a judged query.
    """
    from e2rank_eval.evaluation.comparison import compare_runs
    from e2rank_eval.evaluation.effectiveness import require_judged

    if not isinstance(runs, Mapping):
        raise InputError("runs are not named", hint='write {"bm25": run, "e2rank": reranked}')
    _require(Run, *runs.values())
    if baseline not in runs:
        raise InputError(f"baseline {baseline!r} is not one of the runs", hint=nearest(baseline, runs))
    qrels = _qrels(dataset)
    for run in runs.values():
        require_judged(run, qrels, dataset.id)
    return compare_runs(runs, qrels, dataset.id, baseline, measure, seed=seed)


def _require(kind: type, *given: object) -> None:
    """Raise InputError where an argument is not a ``kind``, such as a name where a Dataset is needed."""
    for one in given:
        if not isinstance(one, kind):
            made_by = _MADE_BY[kind.__name__]
            raise InputError(f"{str(one)[:60]!r} is not a {kind.__name__}", hint=f"make one with {made_by}")


def _qrels(dataset: Dataset) -> dict[str, dict[str, int]]:
    _require(Dataset, dataset)
    return {query: dict(grades) for query, grades in dataset.qrels.items()}


def _family(reference: str, models: Models) -> str:
    from e2rank_eval.config.systems import FAMILIES

    found = models.catalogue.examine(reference)
    possible = sorted(name for name, one in FAMILIES.items() if set(one.model_kinds) & set(found.kinds))
    if found.entry.trained_for_embedding and "e2rank" in possible:
        possible = ["e2rank"]
    if found.entry.relevance_prompt is not None:
        possible = ["pointwise-llm"]
    if len(possible) != 1:
        raise InputError(
            f"{reference} is recognised as {' or '.join(found.kinds)}, which does not determine a family",
            hint=f"give family: {', '.join(possible) or 'see e2rank-eval list rerankers'}",
        )
    return possible[0]


def _reference(model: str | Path) -> str:
    """Return a model reference; a ``Path`` is always a folder, but a string ``org/name`` is a hub id."""
    return str(model.absolute()) if isinstance(model, Path) else model


def _models(cache: str | Path, threads: int | None) -> Models:
    from e2rank_eval.models.loading import Models

    return Models(Path(cache), threads=threads or os.cpu_count() or 1)
