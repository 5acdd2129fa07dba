"""The whole workflow over models in one line each: a folder, an entry of the file, an id on the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_server import Hub
from small_checkpoints import write_bert
from test_hub_models import NAME, files
from workflow_project import Project

from e2rank_eval.models.mteb_metadata import published_models
from e2rank_eval.store.files import read_json, write_jsonl

TEXTS = {"d1": "b c d", "d2": "b e f f", "d3": "c b f", "d4": "d b e e c"}
"""Letters, which are the words that the small models know."""


@pytest.mark.slow
def test_every_form_of_reference_runs_to_the_end(
    hub_server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub_server.publish("models", NAME, files(tmp_path / "published"))
    files(tmp_path / "scorer", seed=2)
    write_bert(tmp_path / "embedder", {"pooling_mode": "mean"})
    mine = tmp_path / "mine"
    write_jsonl(mine / "corpus.jsonl", ({"_id": i, "text": text} for i, text in TEXTS.items()))
    write_jsonl(mine / "queries.jsonl", [{"_id": "q1", "text": "b f"}, {"_id": "q2", "text": "b e c"}])
    (mine / "qrels.tsv").write_text("q1 0 d1 1\nq2 0 d3 1\nq2 0 d4 2\n")
    project = Project(tmp_path)
    rerankers = {
        "first-stage": {"family": "identity"},
        "folder": {"family": "cross-encoder", "model": "./scorer"},
        "own": {"family": "e2rank", "model": "own", "prompt_documents": 2},
        "hub": {"family": "cross-encoder", "model": NAME},
    }
    project.configure(
        {
            "profile": "small",
            "threads": 1,
            "models": {"own": {"query_tokens": 16, "sources": [{"kind": "folder", "folder": "./embedder"}]}},
            "datasets": {"mine": {"path": "mine"}},
            "first_stages": {"bm25": {"retriever": "bm25", "analyser": "lucene"}},
            "rerankers": rerankers,
            "comparisons": {
                "main": {
                    "title": "Three references",
                    "datasets": ["mine"],
                    "first_stage": "bm25",
                    "rerankers": list(rerankers),
                    "baselines": ["first-stage"],
                }
            },
        }
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr("e2rank_eval.models.mteb_metadata._from_mteb", dict)
    assert published_models(tmp_path / "cache") == {}  # kept, so that no job reads what mteb knows
    done = project.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    compared = read_json(project.results / "comparisons" / "main.json")
    assert [one["reranker"] for one in compared["systems"]] == list(rerankers)
    orders = {
        (project.results / "runs" / "mine" / "bm25" / f"{one}.run").read_text().replace(one, "")
        for one in ("folder", "own", "hub")
    }
    assert len(orders) == 3
    record = read_json(project.results / "models" / "someone+scorer.json")
    assert (record["name"], record["revision"]) == (NAME, commit)
    assert (project.results / "site" / "index.html").is_file()
    again = project.snakemake("--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
