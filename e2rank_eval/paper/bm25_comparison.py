"""Our BM25 beside the published one: nDCG@10 of stored candidates, the difference, and what explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration, FirstStageSettings
from e2rank_eval.datasets.planning import plan
from e2rank_eval.datasets.registry import AnseriniBM25, BM25Setup, DatasetEntry, registered_datasets
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_candidate_ids
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.trec import Run, read_qrels

MEASURE = "nDCG@10"
CLOSE = 0.3
"""Points of nDCG@10 x 100 within which two runs of one setup are taken to agree."""

_CUTOFF = 10
_DIGITS = 0.05
"""Published values that differ by more are not the same run's."""


@dataclass(frozen=True, slots=True)
class BM25Row:
    """One data set with a published BM25, and one of our BM25 first stages on it.

    ``published`` and ``ours`` are nDCG@10 x 100 over all judged queries; ``reasons`` say in what the
    two differ. ``ours`` is None where nothing was run: ``needs`` then says what would be needed.
    ``name`` and ``first_stage`` are the configuration's, None where it has none.
    """

    dataset: str
    published: float | None
    source: str | None
    name: str | None = None
    first_stage: str | None = None
    ours: float | None = None
    queries: int | None = None
    reasons: tuple[str, ...] = ()
    needs: str | None = None
    files: tuple[Path, ...] = ()

    @property
    def difference(self) -> float | None:
        return None if self.ours is None or self.published is None else self.ours - self.published

    @property
    def verdict(self) -> str:
        """``not run``, ``close`` (within :data:`CLOSE`), else ``explained`` where a reason is known."""
        if self.difference is None:
            return "not run"
        if abs(self.difference) <= CLOSE:
            return "close"
        return "explained" if self.reasons else "unexplained"


def compare_published(configuration: Configuration, layout: Layout, config: Path) -> list[BM25Row]:
    """A row for every registered data set with a published BM25 and every BM25 of the configuration.

    Data sets of the configuration whose own text or judgements have no published value get a row
    that says so. ``config`` is the configuration's file, for the commands that ``needs`` names.

    Raises
    ------
    InputError
        When a stored file is malformed.
    """
    comparison = _Comparison(configuration, layout, config)
    return [
        row
        for identifier, entry in registered_datasets().items()
        for row in comparison.rows(identifier, entry)
    ]


@dataclass(frozen=True, slots=True)
class _Comparison:
    configuration: Configuration
    layout: Layout
    config: Path

    def rows(self, identifier: str, entry: DatasetEntry) -> Iterator[BM25Row]:
        row = BM25Row(identifier, entry.published_bm25, entry.published_bm25_source)
        names = [n for n in self.configuration.datasets if self.configuration.registry_id(n) == identifier]
        stages = [n for n, one in self.configuration.first_stages.items() if one.retriever == "bm25"]
        if entry.published_bm25 is None:
            yield from (replace(row, name=name, needs=_other_data(identifier, entry)) for name in names)
        elif not names:
            yield replace(row, needs=f"add {identifier}: {{}} to the data sets of {self.config}")
        elif not stages:
            yield replace(row, needs=f"add bm25: {{retriever: bm25}} to the first stages of {self.config}")
        else:
            for name in names:
                yield from (self._measured(replace(row, name=name, first_stage=s), entry) for s in stages)

    def _measured(self, row: BM25Row, entry: DatasetEntry) -> BM25Row:
        name, stage = str(row.name), str(row.first_stage)
        described = self.layout.path(places.DATASET_MANIFEST, dataset=name)
        candidates = self.layout.path(places.CANDIDATES, dataset=name, first_stage=stage)
        qrels = self.layout.path(places.QRELS, dataset=name)
        if not described.exists():
            return replace(row, needs=self._to_fetch(row.dataset, name))
        if not candidates.exists():
            return replace(row, needs=f"e2rank-eval retrieve {stage} {name} --config {self.config}")
        stored, ours = read_json(described), _ndcg(candidates, qrels)
        reasons = (
            *_of_the_data(stored, self.configuration.depth_of(stage), entry),
            *_of_the_setup(self.configuration.first_stages[stage], entry.published_bm25_setup),
            *_of_the_value(ours, row.published or 0.0, entry.anserini_bm25),
        )
        return replace(
            row, ours=ours, queries=stored["queries"], reasons=reasons, files=(candidates, qrels, described)
        )

    def _to_fetch(self, identifier: str, name: str) -> str:
        (found,) = plan([identifier], self.configuration.cache)
        if found["state"] == "needs you":
            return f"only you can provide it: {found['registration'] or found['from']}"
        return f"e2rank-eval fetch {name} --config {self.config}"


def _other_data(identifier: str, entry: DatasetEntry) -> str:
    """Why a data set has no published value, where it is another version of one that has."""
    registered = registered_datasets()
    whole = [n for n, one in registered.items() if one.published_bm25 and identifier.startswith(f"{n}-")]
    if not whole:
        return "no BM25 is published"
    other = registered[whole[-1]]
    theirs, ours = f"{other.judgements or '?'}", f"{entry.judgements or '?'}"
    return (
        f"no BM25 is published for this version ({ours} judgements); {other.published_bm25} is that of "
        f"{whole[-1]} ({theirs} judgements)"
    )


def _ndcg(candidates: Path, qrels: Path) -> float:
    lists = read_candidate_ids(candidates).values()
    ranked = {one.query_id: {i: float(-rank) for rank, i in enumerate(one.document_ids)} for one in lists}
    return 100 * evaluate(Run(ranked), read_qrels(qrels), [MEASURE]).mean[MEASURE]


def _of_the_data(stored: dict[str, Any], depth: int, entry: DatasetEntry) -> Iterator[str]:
    if stored["source"]["kind"] == "slice":
        whole = f" of {entry.queries}" if entry.queries else ""
        yield f"a slice: {stored['queries']}{whole} queries"
    if stored["source"]["kind"] == "folder":
        yield "the texts and judgements are those of a copy of your own"
    if depth < _CUTOFF:
        yield f"only {depth} candidates a query"


def _of_the_setup(ours: FirstStageSettings, theirs: BM25Setup | None) -> Iterator[str]:
    if theirs is None:
        yield "no source tells how the published run was made"
        return
    if theirs.formula is not None:
        yield f"published is another formula: {theirs.formula}"
    if ours.analyser != theirs.analyser:
        yield f"analyser {ours.analyser}, published {theirs.analyser}"
    if ours.quantised_lengths != theirs.quantised_lengths:
        lengths = {True: "rounded to a byte", False: "exact"}
        yield (
            f"document lengths {lengths[ours.quantised_lengths]}, published "
            f"{lengths[theirs.quantised_lengths]}"
        )
    for name in ("k1", "b"):
        if getattr(ours, name) != getattr(theirs, name):
            yield f"{name} {getattr(ours, name)}, published {getattr(theirs, name)}"


def _of_the_value(ours: float, published: float, theirs: AnseriniBM25 | None) -> Iterator[str]:
    """What Anserini's own two indexes say of the published value and of ours."""
    if theirs is None:
        return
    if abs(theirs.flat - published) > _DIGITS:
        yield f"Anserini's flat index gives {theirs.flat:.2f}, not the published value"
    multifield_is_nearer = abs(ours - theirs.multifield) < min(abs(ours - published), abs(ours - theirs.flat))
    if multifield_is_nearer and abs(ours - published) > CLOSE:
        yield f"the index here is flat, yet nearer to Anserini's multifield {theirs.multifield:.2f}"


def published_rows(rows: Sequence[BM25Row]) -> list[dict[str, Any]]:
    """The rows as JSON objects, differences and verdicts included; values unrounded."""
    return [
        {
            "dataset": row.dataset,
            "name": row.name,
            "first_stage": row.first_stage,
            "published": row.published,
            "source": row.source,
            "ours": row.ours,
            "difference": row.difference,
            "queries": row.queries,
            "verdict": row.verdict,
            "reasons": list(row.reasons),
            "needs": row.needs,
        }
        for row in rows
    ]


def write_published(path: Path, rows: Sequence[BM25Row], config: Path, *, started: float) -> None:
    """Write :func:`published_rows` and the manifest; ``started`` is the ``time.time()`` of the verb."""
    write_json(path, {"measure": MEASURE, "close": CLOSE, "rows": published_rows(rows)})
    write_manifest(
        path,
        command=f"e2rank-eval compare-published --config {config} --output {path}",
        settings={"measure": MEASURE},
        inputs=sorted({file for row in rows for file in row.files}),
        started=started,
    )
