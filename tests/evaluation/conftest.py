"""A stored collection whose one reranker sleeps, for the latency command and its sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from sleeping_reranker import build, collection, lists_of, settings

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.store.collections import write_candidates, write_dataset
from e2rank_eval.store.layout import CANDIDATES, Layout


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Configuration, Layout]:
    layout = Layout(tmp_path / "results/test")
    dataset = collection(6)
    write_dataset(layout.root / "datasets/toy", dataset)
    write_candidates(layout.path(CANDIDATES, dataset="toy", first_stage="bm25"), lists_of(dataset))
    sleep = {
        "family": "custom",
        "factory": f"{build.__module__}:build",
        "options": {"stores_documents": True},
    }
    configuration = parse_configuration(
        {
            "profile": "test",
            "threads": 1,
            "cache": str(tmp_path / "cache"),
            "datasets": {"toy": {}},
            "first_stages": {"bm25": {"retriever": "bm25"}},
            "rerankers": {"sleep": sleep},
            "latency": {"one": settings().model_dump()},
        },
        "test.yaml",
    )
    return configuration, layout
