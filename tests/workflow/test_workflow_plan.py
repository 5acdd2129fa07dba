"""Estimated cost of a run by family, and the totals of the paper's tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from e2rank_eval.config import parse_configuration, read_configuration
from e2rank_eval.config.experiment import with_chosen
from e2rank_eval.config.systems import Lengths, Tokens
from e2rank_eval.datasets.registry import registered_dataset, registered_datasets
from e2rank_eval.graph.plan import Device, plan
from e2rank_eval.models.registry import registered_model, registered_models
from e2rank_eval.rerankers.families.cross_encoder import CrossEncoderSettings
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseSettings
from e2rank_eval.rerankers.families.pairwise import PairwiseSettings
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_json
from e2rank_eval.store.layout import Layout

CONFIG = Path(__file__).parents[2] / "config" / "paper.yaml"
LENGTHS_FILE = Path(__file__).parents[2] / "e2rank_eval" / "graph" / "lengths.yaml"
LENGTHS = Lengths(query=10, document=200, origin="assumed")
MODEL = "e2rank-0.6b"


def test_e2rank_reads_every_document_once_and_the_prompt_ones_twice() -> None:
    whole = E2RankSettings(family="e2rank", model=MODEL).tokens(LENGTHS, 100)
    assert whole == Tokens(100 * 200 + 20 * 200 + 10)
    plain = E2RankSettings(family="e2rank", model=MODEL, prompt="query-only").tokens(LENGTHS, 100)
    assert plain == Tokens(100 * 200 + 10)


def test_a_sliding_window_reads_most_documents_twice_and_generates_every_window() -> None:
    used = ListwiseSettings(family="listwise", model=MODEL).tokens(LENGTHS, 100)
    assert used.read == 9 * (20 * 200 + 10)  # RankGPT: (100 - 20) / 10 + 1 windows
    assert used.generated == 9 * 20 * 4
    fewer = ListwiseSettings(family="listwise", model=MODEL).tokens(LENGTHS, 10)
    assert fewer.read == 10 * 200 + 10


def test_pairs_are_read_one_by_one_and_cut_documents_count_as_cut() -> None:
    used = CrossEncoderSettings(family="cross-encoder", model=MODEL, document_tokens=64).tokens(LENGTHS, 100)
    assert used == Tokens(100 * (64 + 10))
    pairwise = PairwiseSettings(family="pairwise-llm", model=MODEL, passes=10).tokens(LENGTHS, 100)
    assert pairwise.generated == 2 * (99 + 98 + 97 + 96 + 95 + 94 + 93 + 92 + 91 + 90)


def test_an_estimate_follows_from_registry_counts_and_lengths(tmp_path: Path) -> None:
    found = plan(read_configuration(CONFIG), ["table1"], Layout(tmp_path), Device(100, 0.5))
    (row,) = (r for r in found["runs"] if r["system"] == "bm25 / e2rank-8b" and r["dataset"] == "dl19")
    entry = registered_dataset("dl19")
    assert entry.queries == 43
    used = 43 * (120 * 336 + 33) / 4.0
    assert row["lengths"] == "stated"
    assert row["tokens"] == pytest.approx(used)
    assert row["hours"] == pytest.approx(2 * 8e9 * used / 50e12 / 3600)
    assert found["weight_bytes"] == pytest.approx(0.6e9 * 4 + 4e9 * 2 + 8e9 * 2)
    assert len(found["runs"]) == 21


def test_measured_statistics_take_precedence_and_shared_runs_count_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    spread = {"words_per_document": {"mean": 100.0}, "words_per_query": {"mean": 10.0}}
    write_json(
        layout.path(places.DATASET_MANIFEST, dataset="dl19"),
        {"documents": 1000, "queries": 2, "statistics": spread},
    )
    found = plan(read_configuration(CONFIG), ["table1", "table2"], layout, Device(100, 0.5))
    (row,) = (r for r in found["runs"] if r["system"] == "bm25 / e2rank-8b" and r["dataset"] == "dl19")
    assert row["lengths"] == "measured"
    assert row["tokens"] == pytest.approx(2 * (120 * 100 + 10) * 1.3)
    assert len(found["runs"]) == 21


def test_every_model_states_its_size_so_that_it_can_be_read() -> None:
    assert all(registered_model(name).parameter_count > 0 for name in registered_models())
    assert registered_model("all-minilm-l6-v2").parameter_count == pytest.approx(22.7e6)


def test_a_stated_length_is_its_sources() -> None:
    mteb = pytest.importorskip("mteb")
    stated = yaml.safe_load(LENGTHS_FILE.read_text(encoding="utf-8"))
    folder = Path(mteb.__file__).parent / "descriptive_stats" / "Retrieval"
    del stated["assumed"]
    assert stated.keys() <= registered_datasets().keys()
    for name, row in stated.items():
        (split,) = json.loads((folder / f"{row['task']}.json").read_text(encoding="utf-8")).values()
        for side, key in (("query", "queries"), ("document", "documents")):
            mean = split[f"{key}_text_statistics"]["average_text_length"]
            assert row[side] == round(mean), f"{name}: {side}"


def test_a_length_without_a_source_is_called_assumed(tmp_path: Path) -> None:
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) | {"datasets": "[dl19,robust04,signal1m]"}
    configuration = parse_configuration(with_chosen(values, [CONFIG]), CONFIG)
    found = plan(configuration, ["table1"], Layout(tmp_path), Device(100, 0.5))
    origins = {row["dataset"]: row["lengths"] for row in found["runs"]}
    assert origins == {"dl19": "stated", "robust04": "assumed", "signal1m": "assumed"}
    assert found["unsized"] == ["signal1m", "robust04"]
