"""Late interaction: a vector for each token, and MaxSim between a query's and a document's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.models.encoders.base import Kind
from e2rank_eval.models.encoders.representations import Represented, load_modules
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.store.files import sha256_json

Matrix = NDArray[np.float32]


def max_sim(query: Matrix, document: Matrix) -> float:
    """Return the sum over the vectors of ``query`` [q, d] of the largest dot product with one of ``document``
    [t, d] (Khattab and Zaharia, ColBERT, SIGIR 2020, section 3.3).

    A document without any vector, all of whose tokens are skipped, has the lowest score of unit vectors.

    >>> query = np.eye(3, dtype=np.float32)[:2]
    >>> max_sim(query, np.array([[0.6, 0.8, 0], [1, 0, 0]], dtype=np.float32))
    1.8000000119209290
    """
    similarities = query @ document.T
    return float(similarities.max(axis=1, initial=-1.0).sum(dtype=np.float64))


class LateInteraction:
    """A ``sentence_transformers.MultiVectorEncoder``, with the prompts, query expansion, limits and skipped
    tokens that its authors put beside the weights; its vectors are scored by :func:`max_sim`.

    Raises
    ------
    InputError
        As :func:`load_modules`: above all for a plain encoder, whose projection would be random.
    """

    def __init__(self, found: ResolvedModel) -> None:
        from sentence_transformers import MultiVectorEncoder

        self._model = load_modules(MultiVectorEncoder, found.path)
        self._neutral = neutraliser(self._model.tokenizer)
        self.fingerprint = sha256_json({"files": dict(found.files), "scored": "max-sim-1"})

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Represent each text as a float32 matrix [its scored tokens, d]; ``vectors`` is a list of them."""
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors: list[Matrix] = []
        tokens, truncated = [], []
        for text in map(self._neutral, texts):
            # One by one: in a batch, padding moves the last bits of a vector.
            (found,) = encode([text], output_value=None, show_progress_bar=False)
            scored = found["attention_mask"].bool()
            vectors.append(found["token_embeddings"][scored].float().cpu().numpy())
            tokens.append(len(found["input_ids"]))
            whole = self._model.tokenizer((self._model.prompts.get(kind) or "") + text, verbose=False)
            truncated.append(len(whole["input_ids"]) > tokens[-1])
        return Represented(vectors, tuple(tokens), tuple(truncated))

    def join(self, parts: Sequence[list[Matrix]]) -> list[Matrix]:
        return list(chain.from_iterable(parts))

    def scores(self, query: list[Matrix], documents: Any) -> NDArray[np.float64]:
        """Return MaxSim with each document [n]; its mean over the query's vectors where the model says so."""
        (own,) = query
        found = np.array([max_sim(own, document) for document in documents])
        return found / len(own) if self._model.similarity_fn_name == "meanmaxsim" else found
