"""Pooled encoders against sentence-transformers itself; E2Rank on an encoder against its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_checkpoints import TEXTS, encoder_entry, write_bert
from transformers import AutoModel, AutoTokenizer

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.registry import registered_model
from e2rank_eval.records import Dataset, ListwiseInput

HASHES = {"model.safetensors": "0" * 64}
MEAN = {"pooling_mode_mean_tokens": True}


@pytest.fixture(scope="module")
def minilm(minilm_path: Path) -> Encoder:
    return load_encoder(minilm_path, registered_model("all-minilm-l6-v2"), file_hashes=HASHES)


def test_minilm_equals_sentence_transformers_on_real_texts(
    minilm: Encoder, minilm_path: Path, lee_dataset: Dataset
) -> None:
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(minilm_path), device="cpu")
    texts = [*TEXTS, *(document.contents for document in list(lee_dataset.corpus.values())[:12])]
    texts.append(" ".join(document.contents for document in list(lee_dataset.corpus.values())[:4]))
    expected = peer.encode(texts, batch_size=8, normalize_embeddings=True)
    encoded = minilm.encode(texts, "document")
    assert (encoded.vectors * expected).sum(axis=1).min() >= 0.999999
    np.testing.assert_allclose(encoded.vectors, expected, atol=2e-6)
    assert encoded.tokens[-1] == 256
    assert encoded.truncated[-1] == 1
    assert sum(encoded.truncated[:9]) == 0


def test_minilm_vectors_are_bit_identical_in_any_batch(minilm: Encoder, lee_dataset: Dataset) -> None:
    texts = [*TEXTS, *(document.contents for document in list(lee_dataset.corpus.values())[:10])]
    together = minilm.encode(texts, "document").vectors
    order = np.random.default_rng(3).permutation(len(texts))
    shuffled = minilm.encode([texts[index] for index in order], "document").vectors
    np.testing.assert_array_equal(shuffled, together[order])
    for index in (0, 4, 7, len(texts) - 1):
        np.testing.assert_array_equal(minilm.encode([texts[index]], "document").vectors[0], together[index])


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), MEAN)


@pytest.fixture(scope="module")
def small(small_folder: Path) -> Encoder:
    return load_encoder(small_folder, encoder_entry(), file_hashes=HASHES)


def test_a_folder_without_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"modules\.json"):
        load_encoder(tmp_path, encoder_entry(), file_hashes=HASHES)


def test_the_folders_own_length_bounds_the_registry_but_not_a_request(small_folder: Path) -> None:
    entry = encoder_entry(document_tokens=150)
    by_registry = load_encoder(small_folder, entry, file_hashes=HASHES)
    asked_for = load_encoder(small_folder, entry, file_hashes=HASHES, document_tokens=140)
    assert by_registry.encode([TEXTS[7]], "document").tokens == (128,)
    assert asked_for.encode([TEXTS[7]], "document").tokens == (140,)


def listwise_by_definition(folder: Path, query: str, documents: list[str], shares: list[int]) -> np.ndarray:
    """[CLS] query [SEP] d1 [SEP] ..., one input alone, mean of the states at the query's own tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    content = tokenizer(query, add_special_tokens=False)["input_ids"]
    ids = [tokenizer.cls_token_id, *content, tokenizer.sep_token_id]
    for document, share in zip(documents, shares, strict=True):
        ids += [*tokenizer(document, add_special_tokens=False)["input_ids"][:share], tokenizer.sep_token_id]
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder).eval()(input_ids=torch.tensor([ids])).last_hidden_state[0]
    mean = states[1 : 1 + len(content)].mean(0)
    return (mean / mean.norm()).numpy()


def test_listwise_is_the_mean_over_the_query_among_its_documents(minilm: Encoder, minilm_path: Path) -> None:
    query, documents = TEXTS[2], TEXTS[:2]
    encoded = minilm.encode_listwise([ListwiseInput(query, tuple(documents)), ListwiseInput(query, ())])
    np.testing.assert_allclose(
        encoded.vectors[0], listwise_by_definition(minilm_path, query, documents, [99, 99]), atol=2e-6
    )
    assert encoded.prompts[0].startswith("[CLS] what is the capital of china? [SEP] the capital of china is")
    assert encoded.truncated == (0, 0)
    assert np.abs(encoded.vectors[0] - encoded.vectors[1]).max() > 0.01


def test_listwise_shares_the_window_and_counts_what_it_cut(small: Encoder, small_folder: Path) -> None:
    # 160 positions: CLS, 4 SEP, "wing" as 4 tokens and 151 for the documents, 5 of which the short one takes.
    documents = ["drag.", TEXTS[7].lower(), TEXTS[8].lower()]
    encoded = small.encode_listwise([ListwiseInput("wing", tuple(documents))])
    assert encoded.tokens == (160,)
    assert encoded.truncated == (2,)
    expected = listwise_by_definition(small_folder, "wing", documents, [5, 73, 73])
    np.testing.assert_allclose(encoded.vectors[0], expected, atol=2e-6)


def test_a_long_query_is_cut_and_counted(small: Encoder) -> None:
    encoded = small.encode_listwise([ListwiseInput("a " * 400, ("short",))])
    assert encoded.truncated == (1,)
    assert encoded.tokens == (126 + 3 + 5,)


@pytest.mark.parametrize(
    ("given_input", "message"),
    [
        (ListwiseInput("q", ("d",) * 200), "lower prompt_documents"),
        (ListwiseInput(" ", ("d",)), "has no token"),
    ],
)
def test_impossible_listwise_inputs_are_refused(
    small: Encoder, given_input: ListwiseInput, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        small.encode_listwise([given_input])


def test_nothing_gives_an_empty_matrix(small: Encoder) -> None:
    for encoded in (small.encode([], "document"), small.encode([], "query"), small.encode_listwise([])):
        assert encoded.vectors.shape == (0, 64)
        assert encoded.tokens == ()


def test_a_special_token_that_a_text_quotes_is_text(small: Encoder) -> None:
    quoting, broken = ["wing [SEP] drag", "[CLS][MASK]"], ["wing [ SEP] drag", "[ CLS][ MASK]"]
    for kind in ("document", "query"):
        np.testing.assert_array_equal(small.encode(quoting, kind).vectors, small.encode(broken, kind).vectors)
    encoded = small.encode_listwise([ListwiseInput(text, (text, text)) for text in (quoting[0], broken[0])])
    np.testing.assert_array_equal(encoded.vectors[0], encoded.vectors[1])
    assert encoded.prompts[0].count("[SEP]") == 3


@pytest.mark.parametrize(
    ("changes", "prompt", "message"),
    [({"kind": "cross-encoder"}, "eval", "not an encoder"), ({}, "readme", "has no prompt 'readme'")],
)
def test_a_model_that_is_not_an_encoder_or_lacks_the_prompt_is_refused(
    changes: dict[str, str], prompt: str, message: str, small_folder: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load_encoder(small_folder, encoder_entry(**changes), file_hashes=HASHES, prompt=prompt)
