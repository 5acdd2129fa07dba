"""Text encoders with other outputs than one dense vector: their protocol, safe loading, late interaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import dtype_key, load_library_model, missing_weights
from e2rank_eval.models.encoders.base import Kind
from e2rank_eval.models.recognition import modules_of
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.timing import tokenising
from e2rank_eval.store.files import read_settings, sha256_json


@dataclass(frozen=True, slots=True)
class Represented:
    """Encodings of n texts, whose type depends on the encoder; ``vectors[i : i + 1]`` is that of text i.

    ``tokens[i]`` counts the tokens of text i; ``truncated[i]`` says whether a limit cut it.
    """

    vectors: Any
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]


class TextEncoder(Protocol):
    """Encodes queries and documents separately, and scores them by their encodings.

    A text's encoding does not depend on the other texts of a call. ``fingerprint`` is a hash of everything
    that decides a score.
    """

    fingerprint: str

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Encode each text by itself."""
        ...

    def join(self, parts: Sequence[Any]) -> Any:
        """Return the vectors of one or more calls in the form of one call's."""
        ...

    def scores(self, query: Any, documents: Any) -> NDArray[np.float64]:
        """Return the scores [n] of n documents for one query, given the ``vectors`` of both."""
        ...


def load_modules(kind: Any, folder: Path, dtype: str) -> Any:
    """Load ``folder`` as ``kind``, a class of sentence-transformers, and check that it is complete.

    ``dtype`` is that of its weights on a GPU. For a checkpoint of another kind the library adds modules with
    random weights and drops modules that it cannot use, and only logs this; here both are errors.

    Raises
    ------
    InputError
        When the model cannot be loaded, or a module or tensor would be random or dropped; names it.
    """
    modules = modules_of(folder)
    named = {_short(str(module["type"])) for module in modules}
    if not modules and "HF_ColBERT" in (read_settings(folder / "config.json").get("architectures") or ()):
        named = {"Transformer", "Dense"}  # the projection is the tensor linear.weight of the same file
    for module in modules:
        settings = folder / module.get("path", "") / "config.json"
        used = str(read_settings(settings).get("activation_function"))
        if "." in used and not used.startswith("torch."):
            raise InputError(
                f"the activation function {used} is code of the checkpoint, which never runs here",
                path=settings,
            )
    hint = f"name a checkpoint that was trained as a {kind.__name__}"
    model = load_library_model(kind, folder, dtype, kind.__name__, hint)
    loaded = {_short(type(module).__name__): module for module in model.children()}
    random = [
        f"{name}.{key}"
        for name, module in loaded.items()
        if name not in {*named, "Transformer"}
        for key in module.state_dict()
    ]
    if "Transformer" in loaded:
        random += _missing(loaded["Transformer"].auto_model)
    if random:
        raise InputError(
            f"not a trained {kind.__name__}: {', '.join(random[:5])} would be random", path=folder, hint=hint
        )
    if dropped := ", ".join(sorted(named - loaded.keys())):
        raise InputError(f"not a {kind.__name__}: {dropped} would be dropped", path=folder, hint=hint)
    return model


def _short(module: str) -> str:
    name = module.rsplit(".", 1)[-1]
    return "Transformer" if name.endswith("Transformer") else name


def _missing(body: Any) -> list[str]:
    """Return the names of the weights that a model's checkpoint lacks, except those of an unused pooler."""
    found = missing_weights(type(body).__name__, Path(body.name_or_path))
    return [name for name in found if not name.startswith("pooler.")]


Matrix = NDArray[np.float32]


def max_sim(query: Matrix, document: Matrix) -> float:
    """Return MaxSim: over the vectors of ``query`` [q, d], the sum of their maximal dot products with the
    vectors of ``document`` [t, d] (Khattab and Zaharia, ColBERT, SIGIR 2020, section 3.3).

    A document without vectors, because all its tokens are skipped, gets the minimum for unit vectors, -q.

    >>> query = np.eye(3, dtype=np.float32)[:2]
    >>> max_sim(query, np.array([[0.6, 0.8, 0], [1, 0, 0]], dtype=np.float32))
    1.8000000119209290
    """
    similarities = query @ document.T
    return float(similarities.max(axis=1, initial=-1.0).sum(dtype=np.float64))


class LateInteraction:
    """A ``sentence_transformers.MultiVectorEncoder``, scored by :func:`max_sim`.

    Prompts, query expansion, limits and skipped tokens are those of the checkpoint.

    Raises
    ------
    InputError
        As :func:`load_modules`, for example for a plain encoder, whose projection would be random.
    """

    def __init__(self, found: ResolvedModel) -> None:
        from sentence_transformers import MultiVectorEncoder

        self._model = load_modules(MultiVectorEncoder, found.path, found.entry.dtype)
        self._neutral = neutraliser(self._model.tokenizer)
        self.fingerprint = sha256_json(
            {"files": dict(found.files), "scored": "max-sim-1", **dtype_key(self._model)}
        )

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Encode each text as a float32 matrix [scored tokens, d]; ``vectors`` is a list of matrices."""
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors: list[Matrix] = []
        tokens, truncated = [], []
        for text in map(self._neutral, texts):
            # One by one: in a batch, padding changes the last bits of a vector.
            (found,) = encode([text], output_value=None, show_progress_bar=False)
            scored = found["attention_mask"].bool()
            vectors.append(found["token_embeddings"][scored].float().cpu().numpy())
            tokens.append(len(found["input_ids"]))
            with tokenising():
                whole = self._model.tokenizer((self._model.prompts.get(kind) or "") + text, verbose=False)
            truncated.append(len(whole["input_ids"]) > tokens[-1])
        return Represented(vectors, tuple(tokens), tuple(truncated))

    def join(self, parts: Sequence[list[Matrix]]) -> list[Matrix]:
        return list(chain.from_iterable(parts))

    def scores(self, query: list[Matrix], documents: Any) -> NDArray[np.float64]:
        """Return MaxSim with each document [n]; the mean over query vectors if the model uses MeanMaxSim."""
        (own,) = query
        found = np.array([max_sim(own, document) for document in documents])
        return found / len(own) if self._model.similarity_fn_name == "meanmaxsim" else found
