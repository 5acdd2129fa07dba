"""Models compared with the cosines that their authors published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e2rank_eval.config.reading import read_entries
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import verification
from e2rank_eval.evaluation.verification import verify
from e2rank_eval.models import registry
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.registry import Published, complete, published_cosines, registered_models

QUERIES, DOCUMENTS = ["who is it?", "what is it?"], ["a person", "a thing of some kind"]


def test_minilm_is_verified(minilm_path: Path, fetch_cache: Path) -> None:
    assert minilm_path.exists()
    found = verify("all-minilm-l6-v2", fetch_cache)
    assert found.passed
    assert found.explanations == ()
    assert len(found.rows()) == 10
    assert found.verdict().startswith("verified: ")


@pytest.mark.parametrize(
    ("change", "explanation"),
    [
        ({"instruction": "query: "}, "prompt: queries with instruction 'query: '"),
        ({"pooling": "last token"}, "pooling: last token"),
    ],
)
def test_the_explanation_of_a_difference_is_found(
    monkeypatch: pytest.MonkeyPatch,
    minilm_path: Path,
    fetch_cache: Path,
    change: dict[str, str],
    explanation: str,
) -> None:
    """The values are those of MiniLM with another setting, which the registry entry does not have."""
    monkeypatch.setattr(verification, "_E2RANK_INSTRUCTION", "query: ")
    entry = complete(registered_models()["all-minilm-l6-v2"])
    assert entry is not None
    changed = entry.model_copy(update={"query_instruction": change.get("instruction")})
    encoder = load_encoder(minilm_path, changed, file_hashes={})
    given: dict[str, Any] = {"source": "this test", "queries": QUERIES, "documents": DOCUMENTS}
    given |= {"tolerance": {"float32": 1e-5}}
    other = Published(**given, cosines={"query-only": [[0.0, 0.0], [0.0, 0.0]]})
    cosines = verification._cosines(other, encoder, plain=True, pooling=change.get("pooling", ""))
    values = Published(**given, cosines={"query-only": np.round(cosines, 6).tolist()})
    monkeypatch.setattr(verification, "published_cosines", lambda: {"all-minilm-l6-v2": values})
    found = verify("all-minilm-l6-v2", fetch_cache)
    assert not found.passed
    assert found.explanations == (explanation,)
    assert f"explained by {explanation}" in found.verdict()


def test_published_values_are_complete_and_of_registered_models(tmp_path: Path) -> None:
    for name in published_cosines():
        assert registered_models()[name].trained_for_embedding
    with pytest.raises(InputError, match="no cosines of 'e2rank-4b' are published; known: all-minilm"):
        verify("e2rank-4b", tmp_path)
    wrong = tmp_path / "values.yaml"
    wrong.write_text(
        registry._PUBLISHED.read_text().replace("[[0.59507, 0.03042], [0.06197, 0.56269]]", "[[0.59507]]")
    )
    with pytest.raises(InputError, match="one row for each query"):
        read_entries(Published, [wrong])
