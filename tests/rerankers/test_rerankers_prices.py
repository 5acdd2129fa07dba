"""A query's price in the statistics: by the prices of the model's server, where its entry states any."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from e2rank_eval.models.loading import Models, load_language_model
from e2rank_eval.models.registry import registered_model
from e2rank_eval.rerankers.execution import _priced

ENTRY = """
title: served
kind: decoder
format: openai-http
parameters: unknown
licence: unknown
trained_for_embedding: false
trained_for_e2rank: false
window: 4096
document_tokens: 300
query_tokens: 100
"""
SERVER = "server: {base_url: 'http://localhost:1/v1', model: m%s}\n"
PRICES = ", prices: {input: 2.0, output: 8.0, currency: EUR}"


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry with one served model that states prices and one that does not."""
    (tmp_path / "config").mkdir()
    bodies = {"priced": ENTRY + SERVER % PRICES, "free": ENTRY + SERVER % ""}
    text = "".join(f"{name}:\n{indent(body, '  ')}" for name, body in bodies.items())
    (tmp_path / "config/models.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return


def test_statistics_have_the_price_of_prompts_documents_and_outputs(overlay: None) -> None:
    rows = [{"query_id": "q", "prompt_tokens": 1000, "document_tokens": 500, "output_tokens": 250}]
    models = Models(Path("cache"), threads=1)
    priced = _priced(models.catalogue.prices("priced"), rows)
    assert priced == [rows[0] | {"price": {"amount": 0.005, "currency": "EUR"}}]
    assert _priced(models.catalogue.prices("free"), rows) == rows


def test_a_price_changes_no_finished_work(overlay: None) -> None:
    models = [registered_model(name) for name in ("priced", "free")]
    one, other = (load_language_model(Path("m"), model, file_hashes={}) for model in models)
    assert one.fingerprint == other.fingerprint
