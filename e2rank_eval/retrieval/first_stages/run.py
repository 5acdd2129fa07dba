"""An external run as a first stage, ordered by score, then rank, then trec_eval's rule for ties."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings, Name
from e2rank_eval.errors import InputError
from e2rank_eval.progress import say
from e2rank_eval.records import CandidateIds, Dataset
from e2rank_eval.retrieval.base import Context, Finder, Found, first_allowed
from e2rank_eval.store.files import read_lines, sha256_file
from e2rank_eval.store.hits import hits_as_run, read_hits
from e2rank_eval.store.trec import Run, read_run


class RunSettings(FirstStageSettings):
    """The run of any system, in TREC or MS MARCO format, or candidate lists in JSON lines.

    For a data set without a run file, ``otherwise`` names another first stage.
    """

    searches = False

    retriever: Literal["run"]
    path: str = Field(
        description="of the run; {dataset} is replaced by the data set's name, $NAME by a variable"
    )
    missing: Literal["fail", "skip"] = Field(
        "fail", description="how to treat documents that the corpus lacks"
    )

    otherwise: Name | None = Field(
        None, description="first stage of data sets without a run file; null: the file is required"
    )

    @field_validator("path")
    @classmethod
    def _one_field(cls, path: str) -> str:
        try:
            path.format(dataset="name")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("only {dataset} is allowed in braces") from error
        return path

    @property
    def fused(self) -> list[str]:
        return [self.otherwise] if self.otherwise else []

    def files(self, dataset: str) -> list[str]:
        path = self.file(dataset)
        return [str(path)] if path.exists() or self.otherwise is None else []

    def file(self, dataset: str) -> Path:
        """Return the path of the run of a data set."""
        return Path(os.path.expandvars(self.path.format(dataset=dataset))).expanduser()

    def build(self, context: Context) -> Finder:
        other = context.finder(self.otherwise) if self.otherwise else None

        def find(dataset: Dataset) -> Found:
            path = self.file(dataset.id)
            if other is not None and not path.exists():
                return other(dataset)
            lists = run_candidates(read_any(path), dataset, context.depth, missing=self.missing)
            return lists, {"run_sha256": sha256_file(path)}

        return find


def read_any(path: Path) -> Run:
    """Read a run: candidate lists if its first line is a JSON object, else TREC or MS MARCO format."""
    return hits_as_run(read_hits(path)) if is_json_lines(path) else read_run(path)


def is_json_lines(path: Path) -> bool:
    """Return whether the first non-blank line of a file begins a JSON object."""
    return next((line for _, line in read_lines(path) if line.strip()), "").lstrip().startswith("{")


def run_candidates(
    run: Run, dataset: Dataset, depth: int, *, missing: Literal["fail", "skip"] = "fail"
) -> list[CandidateIds]:
    """Return the first ``depth`` documents of each query, in the order of :meth:`Run.order`.

    Documents that are excluded for a query are dropped before the cut. Queries that the data set lacks are
    skipped, with ``missing="skip"`` also documents; their numbers are logged.

    Raises
    ------
    InputError
        When the data set has none of the run's queries, or lacks a document and ``missing`` is ``fail``.
    """
    asked = [query for query in run.scores if query in dataset.queries]
    if len(asked) < len(run.scores):
        unknown = [query for query in run.scores if query not in dataset.queries]
        problem = f"{len(unknown)} queries of the run are not in {dataset.id} ({', '.join(unknown[:3])})"
        if not asked:
            raise InputError(problem, hint="name the data set that the run belongs to")
        say(f"{problem}: skipped")
    if contradicting := run.contradictions():
        say(f"the ranks of {contradicting} queries contradict their scores; the scores are used")
    orders = {query: run.order(query) for query in asked}
    absent = sorted({i for ids in orders.values() for i in ids if i not in dataset.corpus})
    if absent:
        problem = f"{len(absent)} documents of the run are not in {dataset.id} ({', '.join(absent[:3])})"
        if missing == "fail":
            hint = "name the data set that the run belongs to, or skip them (--missing skip)"
            raise InputError(problem, hint=hint)
        say(f"{problem}: skipped")
    lists = []
    for query, ids in orders.items():
        scored = ((i, run.scores[query][i]) for i in ids if i in dataset.corpus)
        lists.append(first_allowed(query, scored, dataset, depth))
    return lists


FIRST_STAGES.add("run", RunSettings)
