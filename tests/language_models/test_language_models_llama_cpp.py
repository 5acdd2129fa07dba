"""SmolLM2's GGUF file through llama.cpp, beside transformers on the same weights dequantised."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.models.registry import registered_model

pytestmark = pytest.mark.slow

CHATS = [
    [{"role": "user", "content": text}]
    for text in ("What is the capital of China?", "Is the sky blue? Answer yes or no.", "Name one fruit.")
]


@pytest.fixture(scope="module")
def model(smollm2_path: Path) -> LanguageModel:
    pytest.importorskip("xllamacpp", reason="the extra llamacpp is not installed")
    entry = registered_model("smollm2-135m-instruct-q4-llama-cpp")
    return load_language_model(smollm2_path, entry.model_copy(update={"window": 512}), file_hashes={})


@pytest.fixture(scope="module")
def plain(smollm2_path: Path) -> LanguageModel:
    entry = registered_model("smollm2-135m-instruct-q4")
    return load_language_model(smollm2_path, entry, file_hashes={})


def test_it_says_what_transformers_says(model: LanguageModel, plain: LanguageModel) -> None:
    """Activations are quantised too, so long answers may part at a near tie; these are short and clear."""
    found, expected = (one.generate(CHATS[:1], max_new_tokens=12) for one in (model, plain))
    assert found == expected
    assert "Beijing" in found[0].text
    assert found[0].finished


def test_preferences_agree_with_transformers(model: LanguageModel, plain: LanguageModel) -> None:
    choices = ("yes", "no")
    found, expected = (one.next_token(CHATS, choices) for one in (model, plain))
    assert found.prompt_tokens == expected.prompt_tokens
    leads, wanted = (one.logits[:, 0] - one.logits[:, 1] for one in (found, expected))
    assert abs(leads - wanted).max() < 1.0
    assert leads.argsort().tolist() == wanted.argsort().tolist()


def test_an_answer_does_not_depend_on_what_was_asked_before(model: LanguageModel) -> None:
    first = model.generate(CHATS[2:], max_new_tokens=8)
    assert model.generate(CHATS, max_new_tokens=8)[2:] == first
    cut = model.generate(CHATS[:1], max_new_tokens=3)[0]
    assert (cut.output_tokens, cut.finished) == (3, False)
    exact = model.generate(CHATS[:1], max_new_tokens=16, min_new_tokens=16)[0]
    assert (exact.output_tokens, exact.finished) == (16, False)


def test_what_it_cannot_do_is_said(model: LanguageModel) -> None:
    with pytest.raises(InputError, match="cannot tell how likely"):
        model.likelihood(CHATS[:1], ["Beijing"])
    with pytest.raises(InputError, match="no least length"):
        model.generate(CHATS[:1], max_new_tokens=8, min_new_tokens=4)
    with pytest.raises(InputError, match="exceed the 512"):
        model.generate([[{"role": "user", "content": "word " * 600}]], max_new_tokens=8)
