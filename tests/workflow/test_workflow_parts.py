"""A data set split over jobs: the same bytes, every shard ranked once, no split by default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_project import Project, small_configuration

from e2rank_eval.errors import InputError
from e2rank_eval.graph import Graph
from e2rank_eval.store.files import read_json
from e2rank_eval.store.parts import Part, parse_part

STAGES = ("datasets", "candidates", "runs", "statistics", "metrics")


def dense_configuration(jobs: int = 1) -> dict[str, Any]:
    """BM25 and a dense first stage; E2Rank reranks both."""
    configuration = small_configuration()
    configuration["jobs"] = jobs
    configuration["first_stages"]["minilm"] = {"retriever": "dense", "model": "all-minilm-l6-v2"}
    configuration["comparisons"]["dense"] = configuration["comparisons"]["main"] | {"first_stage": "minilm"}
    return configuration


@given(st.integers(1, 9), st.integers(0, 100))
def test_every_piece_is_the_work_of_one_job(of: int, piece: int) -> None:
    assert sum(Part(number, of).has(piece) for number in range(1, of + 1)) == 1


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "2", "1/2/3", "-1/2", "a/b", "1/٢"])
def test_an_invalid_part_is_refused(text: str) -> None:
    assert parse_part("2/4") == Part(2, 4)
    with pytest.raises(InputError, match="such as 2/4"):
        parse_part(text)


def test_one_job_needs_no_receipts_and_the_identity_is_never_split() -> None:
    alone, spread = (Graph(dense_configuration(jobs), ["mine.yaml"]) for jobs in (1, 3))
    assert alone.encode_parts(alone.retrievals) == alone.rerank_parts(alone.rerankings) == []
    assert spread.encode_parts(spread.retrievals) == [
        f"results/small/parts/lee-12/minilm/encode-{number}-of-3.json" for number in (1, 2, 3)
    ]
    assert spread.rerank_parts(spread.rerankings) == [
        f"results/small/parts/lee-12/{first_stage}/e2rank/{number}-of-3.json"
        for first_stage in ("bm25", "minilm")
        for number in (1, 2, 3)
    ]
    assert alone.settings("rerankers", "e2rank") == spread.settings("rerankers", "e2rank")


def test_jobs_with_a_model_request_gpus() -> None:
    graph = Graph(dense_configuration() | {"gpus": 2}, ["mine.yaml"])
    assert (graph.gpus("first_stages", "minilm"), graph.gpus("first_stages", "bm25")) == (2, 0)
    assert (graph.gpus("rerankers", "e2rank"), graph.gpus("rerankers", "first-stage")) == (2, 0)


@pytest.mark.slow
def test_split_over_jobs_in_another_folder_the_bytes_are_the_same(tmp_path: Path, built: Project) -> None:
    """The dense candidates are not reranked, since each job that loads a model takes seconds."""
    configuration = dense_configuration()
    configuration["comparisons"]["dense"]["rerankers"] = ["first-stage"]
    alone = built.copied(tmp_path / "one")
    alone.configure(configuration)
    spread = Project.create(tmp_path / "two", configuration | {"jobs": 2})
    for project in (alone, spread):
        done = project.snakemake("metrics")
        assert done.returncode == 0, done.stdout + done.stderr
    assert spread.hashes(*STAGES) == alone.hashes(*STAGES)
    receipts = [read_json(path) for path in sorted(spread.results.glob("parts/lee-12/*/e2rank/*.json"))]
    assert [len(one["shards"]) for one in receipts] == [2, 1], "three shards over two jobs"
    gathered = read_json(spread.results / "runs" / "lee-12" / "bm25" / "e2rank.run.manifest.json")
    assert gathered["shards_reused"] == 3
    log = (spread.results / "logs" / "retrieve" / "minilm.log").read_text()
    assert not re.search("encoding documents", log)
    assert "Nothing to be done" in spread.snakemake("metrics").stderr
