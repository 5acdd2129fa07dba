"""The rerank command: one reranker ranks the candidates of several data sets in resumable shards."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.errors import QueryError, UnavailableError
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.models.registry import Prices
from e2rank_eval.progress import say, track
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, read_queries_with_candidates
from e2rank_eval.store.files import sha256_json, write_json, write_jsonl
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.parts import WHOLE, Part, write_receipt
from e2rank_eval.store.statistics import stats_row
from e2rank_eval.store.trec import write_run


def rerank(
    configuration: Configuration,
    reranker: str,
    first_stage: str,
    datasets: Sequence[str],
    layout: Layout,
    models: ModelProvider,
) -> None:
    """Rank the stored candidates of ``datasets`` and write a run and its statistics for each.

    Raises
    ------
    InputError
        For a malformed data set or candidate file, or a model that the family cannot use.
    QueryError
        When a query cannot be ranked and the reranker's ``on_error`` is ``fail``.
    """
    settings = configuration.rerankers[reranker]
    model = settings.build(RerankContext(models, configuration.seed))
    command = ["e2rank-eval", "rerank", reranker, *datasets, "--first-stage", first_stage]
    for dataset in datasets:
        started = time.time()
        inputs = _inputs(layout, dataset, first_stage)
        shards = list(_shards(model, configuration, reranker, dataset, inputs, WHOLE))
        rows = [row for shard in shards for row in shard.rows]
        names = {"dataset": dataset, "first_stage": first_stage, "reranker": reranker}
        run, statistics = layout.path(places.RUN, **names), layout.path(places.STATISTICS, **names)
        write_run(run, ((row["query_id"], row["ranking"]) for row in rows), tag=reranker)
        prices = models.catalogue.prices(getattr(settings, "model", None))
        write_jsonl(statistics, _priced(prices, [row["statistics"] for row in rows]))
        for written in (run, statistics):
            write_manifest(
                written,
                command=shlex.join([*command, "--config", str(layout.path(places.CONFIG))]),
                settings=settings.model_dump(mode="json") | {"seed": configuration.seed},
                inputs=inputs,
                started=started,
                extra={
                    "fingerprint": model.fingerprint,
                    "shards_reused": sum(shard.reused for shard in shards),
                },
            )


def rerank_part(
    configuration: Configuration,
    reranker: str,
    first_stage: str,
    dataset: str,
    layout: Layout,
    models: ModelProvider,
    part: Part,
) -> None:
    """Rank ``part`` of the shards of ``dataset`` into the shared cache, and write a receipt.

    A later :func:`rerank` reuses these shards. Raises as :func:`rerank` does.
    """
    model = configuration.rerankers[reranker].build(RerankContext(models, configuration.seed))
    inputs = _inputs(layout, dataset, first_stage)
    keys = [shard.key for shard in _shards(model, configuration, reranker, dataset, inputs, part)]
    names = {"dataset": dataset, "first_stage": first_stage, "reranker": reranker}
    numbers = {"part": str(part.number), "parts": str(part.of)}
    receipt = layout.path(places.RERANK_PART, **names, **numbers)
    write_receipt(receipt, part, {"fingerprint": model.fingerprint, "shards": keys})


def _inputs(layout: Layout, dataset: str, first_stage: str) -> list[Path]:
    """Return the files that a ranking is made from: candidates, corpus and queries."""
    candidates = layout.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
    return [candidates, *(layout.path(one, dataset=dataset) for one in (places.CORPUS, places.QUERIES))]


@dataclass(frozen=True, slots=True)
class Shard:
    """Rankings and statistics of a few queries; ``key`` is a hash of everything that decides them."""

    key: str
    rows: list[dict[str, Any]]
    reused: bool


def _shards(
    model: Reranker, configuration: Configuration, name: str, dataset: str, inputs: list[Path], part: Part
) -> Iterator[Shard]:
    candidates, corpus, _ = inputs
    queries, lists = read_queries_with_candidates(candidates, read_dataset(corpus.parent, dataset))
    return ranked_shards(
        model,
        queries,
        lists,
        cache=configuration.cache,
        size=configuration.shard_queries,
        on_error=configuration.rerankers[name].on_error,
        part=part,
        what=f"rerank {dataset} with {name}",
    )


def ranked_shards(
    model: Reranker,
    queries: Sequence[Query],
    lists: Sequence[CandidateList],
    *,
    cache: Path,
    size: int,
    what: str,
    on_error: str = "fail",
    part: Part = WHOLE,
) -> Iterator[Shard]:
    """Yield the shards of ``part`` in order, ``size`` queries each.

    Finished shards are stored in ``cache`` and read from there by a process that resumes; one with a query
    that failed is not, so that another call tries again. Raises as :func:`rerank` does.
    """
    starts = [start for start in range(0, len(queries), size) if part.has(start // size)]
    for start in track(starts, description=f"{what}, shards of {size}"):
        few, candidates = queries[start : start + size], lists[start : start + size]
        key = shard_key(model.fingerprint, on_error, few, candidates)
        path = cache / "shards" / key[:2] / f"{key}.json"
        rows = read_shard(path)
        reused = rows is not None
        if rows is None:
            rows = [_row(ranking) for ranking in _rank(model, few, candidates, on_error)]
            if all(row["statistics"]["kept_first_stage"] is None for row in rows):
                write_json(path, {"rows": rows, "sha256": sha256_json(rows)})
        yield Shard(key, rows, reused)


def shard_key(
    fingerprint: str, on_error: str, queries: Sequence[Query], lists: Sequence[CandidateList]
) -> str:
    """Return a hex SHA-256 of the reranker's fingerprint and the queries' and candidates' texts in order.

    The queries of a shard are ranked together, so a change to any of them invalidates the whole shard.
    """
    return sha256_json(
        {
            "fingerprint": fingerprint,
            "on_error": on_error,
            "queries": [[query.id, query.text] for query in queries],
            "candidates": [
                [[d.id, hashlib.sha256(d.contents.encode()).hexdigest()] for d in one.documents]
                for one in lists
            ],
        }
    )


def read_shard(path: Path) -> list[dict[str, Any]] | None:
    """Return the rows of a finished shard, or None where it does not exist or is corrupt (then logged)."""
    try:
        shard = json.loads(path.read_bytes())
        rows: list[dict[str, Any]] = shard["rows"]
        intact = shard["sha256"] == sha256_json(rows)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        say(f"{path}: truncated or corrupt; its queries are ranked again")
        return None
    return rows


def _row(ranking: Ranking) -> dict[str, Any]:
    return {
        "query_id": ranking.query_id,
        "ranking": list(ranking.document_ids),
        "statistics": stats_row(ranking.query_id, ranking.stats),
    }


def _rank(
    model: Reranker, queries: Sequence[Query], lists: Sequence[CandidateList], on_error: str
) -> list[Ranking]:
    """Rank queries together; where that fails, one by one, to find the query that fails.

    That query raises a QueryError, or keeps its first-stage order, as ``on_error`` says. A server that is
    down is not asked again, unless queries keep their first-stage order.
    """
    try:
        return model.rank_candidates(queries, lists)
    except Exception as failure:
        if isinstance(failure, UnavailableError) and on_error == "fail":
            raise
        problem = f"{type(failure).__name__}: {failure}"
        say(f"ranking {len(queries)} queries together failed ({problem}); ranking them one by one")
    rankings = []
    for query, candidates in zip(queries, lists, strict=True):
        try:
            rankings += model.rank_candidates([query], [candidates])
        except Exception as error:
            if on_error == "fail":
                raise QueryError(query.id, error) from error
            say(f"query {query.id!r} keeps its first-stage order: {error}")
            stats = QueryStats(kept_first_stage=f"{type(error).__name__}: {error}")
            rankings.append(Ranking(candidates, tuple(range(len(candidates))), stats))
    return rankings


def _priced(prices: Prices | None, statistics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statistics with each query's price, where the model's entry has prices.

    The price includes the documents that an encoder reads for the query, also where their vectors are stored.
    Prices are not part of a shard, so that a new price does not invalidate finished shards.
    """
    if prices is None:
        return statistics
    priced = []
    for row in statistics:
        read = row["prompt_tokens"] + row["document_tokens"]
        amount = round(prices.of(read, row["output_tokens"]), 9)
        priced.append(row | {"price": {"amount": amount, "currency": prices.currency}})
    return priced
