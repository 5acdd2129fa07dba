"""Sparse encoders: SPLADE in batch-independent batches, other forms run by sentence-transformers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from transformers import AutoModelForMaskedLM

from e2rank_eval.models.batching import STABLE_TOKENS, Batch, padded_rows, plan_batches, run_in_batches
from e2rank_eval.models.checkpoints import dtype_key, load_for_inference, load_tokenizer, usable_positions
from e2rank_eval.models.encoders.base import Kind, check_limits
from e2rank_eval.models.encoders.representations import Represented, load_modules
from e2rank_eval.models.recognition import modules_of, transformer_folder
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.timing import tokenising
from e2rank_eval.store.files import read_settings, sha256_json

_BATCH_TOKENS = 2048
"""Each token has a logit for every vocabulary entry: 250 MB for the 30,522 entries of BERT."""


class SparseEncoder(ABC):
    """Turns texts into sparse vectors whose dot product is the score."""

    fingerprint: str

    @abstractmethod
    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Return sparse float32 vectors [n, dimensions]; each text is encoded by itself."""

    def join(self, parts: Sequence[csr_matrix]) -> csr_matrix:
        return vstack(parts, format="csr")

    def scores(self, query: csr_matrix, documents: csr_matrix) -> NDArray[np.float64]:
        """Return the dot products [n] of ``query`` [1, dimensions] with ``documents`` [n, dimensions]."""
        exact = np.asarray(query.astype(np.float64).todense()).ravel()
        return np.asarray(documents @ exact)


class Splade(SparseEncoder):
    """SPLADE: weights of vocabulary entries, the maximum over positions of ``log(1 + relu(logit))``.

    Formal et al., SPLADE v2, arXiv 2109.10086, equations 1 and 6; special tokens are included, as in the
    authors' training. One model encodes queries and documents. The vectors of sentence-transformers'
    SparseEncoder agree to 2e-5, but depend on the batch.

    Raises
    ------
    InputError
        When the checkpoint lacks weights of the masked language model's head, which are named, or a limit
        of the entry exceeds the window, which is at most the checkpoint's.
    """

    def __init__(self, found: ResolvedModel) -> None:
        folder, entry = transformer_folder(found.path), found.entry
        self._limits = {"document": entry.document_tokens, "query": entry.query_tokens}
        self._tokenizer = load_tokenizer(folder)
        self._neutral = neutraliser(self._tokenizer)
        self._model = load_for_inference(AutoModelForMaskedLM, folder, entry.dtype)
        self._window = min(entry.window, usable_positions(self._model) or entry.window)
        specials = self._tokenizer.num_special_tokens_to_add()
        limits = {"document_tokens": entry.document_tokens, "query_tokens": entry.query_tokens}
        check_limits(limits, specials, self._window, entry.title, found.path)
        self._dimension = int(self._model.config.vocab_size)
        self.fingerprint = sha256_json(
            {
                "files": dict(found.files),
                "limits": self._limits,
                "form": "splade-1",
                **dtype_key(self._model),
            }
        )

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Return vectors [n, vocabulary] without negative values, texts cut to the entry's limit."""
        if not texts:
            return Represented(csr_matrix((0, self._dimension), dtype=np.float32), (), ())
        limit = self._limits[kind]
        plain = [*map(self._neutral, texts)]
        with tokenising():
            whole: list[list[int]] = self._tokenizer(plain, verbose=False)["input_ids"]
            ids: list[list[int]] = self._tokenizer(plain, truncation=True, max_length=limit, verbose=False)[
                "input_ids"
            ]
        rows: list[csr_matrix | None] = [None] * len(ids)

        def run(batch: Batch) -> None:
            weights = csr_matrix(self._weights(batch, [ids[position] for position in batch.positions]))
            for row, position in enumerate(batch.positions):
                rows[position] = weights[row]

        plan = partial(plan_batches, window=self._window, least_tokens=STABLE_TOKENS)
        run_in_batches([len(one) for one in ids], plan, run, tokens=_BATCH_TOKENS)
        truncated = tuple(len(one) > limit for one in whole)
        return Represented(vstack(rows, format="csr"), tuple(map(len, ids)), truncated)

    @torch.inference_mode()
    def _weights(self, batch: Batch, sequences: Sequence[list[int]]) -> Any:
        ids, mask = padded_rows(sequences, batch, self._tokenizer.pad_token_id)
        place = self._model.device
        logits = self._model(input_ids=ids.to(place), attention_mask=mask.to(place)).logits
        # log(1 + relu(x)) is monotonic, so the maximum is taken first, which saves work.
        highest = [logits[row, : len(sequence)].amax(dim=0) for row, sequence in enumerate(sequences)]
        return torch.log1p(torch.relu(torch.stack(highest).float())).cpu().numpy()


class ModularSparseEncoder(SparseEncoder):
    """A ``sentence_transformers.SparseEncoder`` with any modules, and the checkpoint's prompts.

    Raises
    ------
    InputError
        As :func:`load_modules`, for example for a model whose sparse layer would be random.
    """

    def __init__(self, found: ResolvedModel) -> None:
        import sentence_transformers

        self._model = load_modules(sentence_transformers.SparseEncoder, found.path, found.entry.dtype)
        self._neutral = neutraliser(self._model.tokenizer)
        self.fingerprint = sha256_json(
            {"files": dict(found.files), "form": "modules-1", **dtype_key(self._model)}
        )

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        prompt, rows, lengths = self._model.prompts.get(kind) or "", [], []
        for text in map(self._neutral, texts):
            # One by one: in a batch, padding changes the last bits of a vector.
            vector = encode([text], convert_to_sparse_tensor=False, show_progress_bar=False)
            rows.append(csr_matrix(vector.float().cpu().numpy()))
            with tokenising():
                lengths.append(len(self._model.tokenizer(prompt + text, verbose=False)["input_ids"]))
        dimension = self._model.get_embedding_dimension()
        vectors = self.join(rows) if rows else csr_matrix((0, dimension), dtype=np.float32)
        limit = self._model.max_seq_length
        tokens = tuple(min(length, limit) for length in lengths)
        return Represented(vectors, tokens, tuple(length > limit for length in lengths))


def load_sparse_encoder(found: ResolvedModel) -> SparseEncoder:
    """Load a sparse encoder: :class:`Splade` for plain SPLADE, else :class:`ModularSparseEncoder`."""
    return Splade(found) if _is_splade(found) else ModularSparseEncoder(found)


def _is_splade(found: ResolvedModel) -> bool:
    """Whether the checkpoint is plain SPLADE: max pooling, relu and no prompts."""
    if not (modules := modules_of(found.path)):
        return True
    if len(modules) != 2 or not str(modules[1]["type"]).endswith("SpladePooling"):
        return False
    pooling = read_settings(found.path / modules[1].get("path", "") / "config.json")
    prompts = read_settings(found.path / "config_sentence_transformers.json").get("prompts") or {}
    plain = (pooling.get("pooling_strategy"), pooling.get("activation_function", "relu")) == ("max", "relu")
    return plain and not any(prompts.values())
