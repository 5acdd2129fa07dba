"""An encoder of ours as mteb's EncoderProtocol sees it, and the account of what it reads and computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mteb.abstasks import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta
from mteb.types import PromptType

from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind, Vectors
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.fetching import fetch_model
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import registered_model
from e2rank_eval.mteb_suite.instructions import Instructions, TaskInputs
from e2rank_eval.mteb_suite.registration import model_meta, mteb_revision
from e2rank_eval.records import ListwiseInput, Ranking
from e2rank_eval.store.files import sha256_json


@dataclass(slots=True)
class Usage:
    """``texts`` and ``tokens`` that a task gave a model to read, ``truncated`` ones among the texts, and
    ``forward_tokens``: those computed, without texts that repeat and stored vectors."""

    texts: int = 0
    tokens: int = 0
    truncated: int = 0
    forward_tokens: int = 0

    def read(self, encoded: Encoded) -> None:
        """Add encoded texts."""
        self.texts += len(encoded.tokens)
        self.tokens += sum(encoded.tokens)
        self.truncated += sum(encoded.truncated)

    def ranked(self, ranking: Ranking) -> None:
        """Add a ranking, all of whose tokens are computed."""
        stats = ranking.stats
        self.texts += len(ranking.candidates)
        self.tokens += stats.prompt_tokens + stats.output_tokens + stats.document_tokens
        self.truncated += stats.truncated_documents
        self.forward_tokens = self.tokens


class MeteredEncoder:
    """An encoder that adds the tokens it computes to ``forward_tokens``."""

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.document_fingerprint = encoder.document_fingerprint
        self.dimension = encoder.dimension
        self.synchronise = encoder.synchronise
        self.forward_tokens = 0
        self._encoder = encoder

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode as the encoder below does."""
        return self._counted(self._encoder.encode(texts, kind))

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        """Encode as the encoder below does."""
        return self._counted(self._encoder.encode_listwise(inputs))

    def _counted(self, encoded: Encoded) -> Encoded:
        self.forward_tokens += sum(encoded.tokens)
        return encoded


class MtebEncoder(AbsEncoder):
    """Every text of a task, instruction included, is encoded as a document of ``encoder``.

    So a text has one vector whatever its company, texts that several tasks share are encoded once where
    ``encoder`` keeps vectors, and one limit of tokens holds on all sides, as mteb's ``max_tokens`` has it.
    Similarity is the cosine. ``metered`` is the encoder below the cache.
    """

    mteb_model_meta: ModelMeta

    def __init__(
        self, encoder: Encoder, metered: MeteredEncoder, inputs: TaskInputs, meta: ModelMeta
    ) -> None:
        self.mteb_model_meta = meta
        self._encoder = encoder
        self._metered = metered
        self._inputs = inputs
        self._usage = Usage()

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: TaskMetadata,
        hf_split: str,  # noqa: ARG002 - mteb's own call
        hf_subset: str,  # noqa: ARG002
        prompt_type: PromptType | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Vectors:
        """Return unit vectors float32 [n, d], in the order of ``inputs``, batches with a ``text``.

        ``kwargs`` (batch size, progress bar) are mteb's advice to engines without batches of their own.
        """
        template = self._inputs.template(task_metadata, prompt_type)
        texts = [self._inputs.apply(text, template) for batch in inputs for text in batch["text"]]
        encoded = self._encoder.encode(texts, "document")
        self._usage.read(encoded)
        return encoded.vectors

    def key(self, task: AbsTask) -> str:
        """Return the hash of what decides this model's score on ``task``, as far as it is ours to decide."""
        sides = (None, PromptType.query, PromptType.document)
        templates = [self._inputs.template(task.metadata, side) for side in sides]
        return sha256_json({"encoder": self._encoder.document_fingerprint, "templates": templates})

    def take_usage(self) -> Usage:
        """Return what was read and computed since this was last asked."""
        usage, self._usage = self._usage, Usage()
        usage.forward_tokens, self._metered.forward_tokens = self._metered.forward_tokens, 0
        return usage


def load_mteb_encoder(
    name: str,
    cache: Path,
    *,
    threads: int,
    instructions: Instructions | None = None,
    keep_vectors: bool = True,
) -> MtebEncoder:
    """Load the registry model ``name`` as mteb's encoder.

    ``keep_vectors`` stores every vector in ``cache/vectors`` and holds it in memory, so that tasks
    which share texts encode them once; corpora of millions of documents are better without.

    Raises
    ------
    InputError
        When the registry has no such model, or it is not an encoder.
    UnavailableError
        When no source could be used.
    """
    entry = registered_model(name)
    metered = MeteredEncoder(Models(cache, threads=threads, vector_cache=False).encoder(name))
    encoder: Encoder = CachedEncoder(metered, cache / "vectors") if keep_vectors else metered
    revision = mteb_revision(entry, fetch_model(name, cache))
    meta = model_meta(name, entry, revision=revision, embed_dim=metered.dimension)
    return MtebEncoder(encoder, metered, TaskInputs(entry, instructions), meta)
