"""An encoder of ours as mteb sees it: its protocol, its metadata, and what it reads and computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mteb.abstasks import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.types import PromptType

from e2rank_eval.config.references import file_name
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind, Vectors
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.mteb_suite.instructions import Instructions, TaskInputs
from e2rank_eval.records import Ranking
from e2rank_eval.store.files import sha256_json

ORGANISATION = "e2rank-eval"
"""The organisation of models and rerankers that no hub has."""


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


class MtebEncoder(AbsEncoder):
    """Every text of a task, instruction included, is encoded as a document of an encoder without prompts.

    So a text has one vector whatever its company, texts that several tasks share are encoded once where
    ``encoder`` keeps vectors, and one limit of tokens holds on all sides, as mteb's ``max_tokens`` has it.
    Where the encoder puts prompts of its own before queries and documents, each side of a task is encoded as
    what it is, and the texts of other tasks without a prompt. Similarity is the cosine.
    """

    mteb_model_meta: ModelMeta

    def __init__(self, encoder: Encoder, inputs: TaskInputs, meta: ModelMeta) -> None:
        self.mteb_model_meta = meta
        self._encoder = encoder
        self._inputs = inputs
        self._prompted = any(encoder.prompts.values())
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
        before = self._computed()
        encoded = self._encoder.encode(texts, self._kind(prompt_type))
        self._usage.read(encoded)
        self._usage.forward_tokens += self._computed() - before
        return encoded.vectors

    def _kind(self, side: PromptType | None) -> Kind:
        if not self._prompted or side is PromptType.document:
            return "document"
        return "query" if side is PromptType.query and not self._inputs.instructed else "text"

    def _computed(self) -> int:
        """Return the tokens computed so far: all that were read, where no vectors are stored."""
        if isinstance(self._encoder, CachedEncoder):
            return self._encoder.computed_tokens
        return self._usage.tokens

    def key(self, task: AbsTask) -> str:
        """Return the hash of what decides this model's score on ``task``, as far as it is ours to decide."""
        sides = (None, PromptType.query, PromptType.document)
        templates = [self._inputs.template(task.metadata, side) for side in sides]
        encoder = self._encoder.fingerprint if self._prompted else self._encoder.document_fingerprint
        return sha256_json({"encoder": encoder, "templates": templates})

    def take_usage(self) -> Usage:
        """Return what was read and computed since this was last asked."""
        usage, self._usage = self._usage, Usage()
        return usage


def load_mteb_encoder(name: str, models: Models, instructions: Instructions | None = None) -> MtebEncoder:
    """Load the model that ``name`` refers to as mteb's encoder.

    Where ``models`` keep vectors, tasks that share texts encode them once; corpora of millions of documents
    are better without.

    Raises
    ------
    InputError
        When the reference names no model, or it is not an encoder.
    UnavailableError
        When no source could be used.
    """
    encoder, model = models.encoder(name), models.resolve(name, "encoder", "decoder")
    return MtebEncoder(encoder, TaskInputs(model.entry, instructions), model_meta(model, encoder.dimension))


def model_meta(model: ResolvedModel, dimension: int) -> ModelMeta:
    """Return the metadata that mteb files results under; fields that no source states are None.

    A model of the hub has its repository as name there. Its revision is the commit, where the registry pins
    its files by hash whatever source they came from; of other sources it is the version, or the hash of
    what was fetched.
    """
    entry = model.entry
    hub = next((source for source in entry.sources if isinstance(source, HubSource)), None)
    pinned = hub.revision if hub is not None and entry.files else None
    return ModelMeta.create_empty(
        {
            "name": hub.repository if hub else f"{ORGANISATION}/{file_name(model.reference)}",
            "revision": pinned or model.revision or sha256_json(dict(model.files))[:40],
            "reference": f"https://huggingface.co/{hub.repository}" if hub else None,
            "languages": ["eng-Latn"],
            "max_tokens": entry.document_tokens,
            "embed_dim": dimension,
            "license": "apache-2.0" if entry.licence == "Apache-2.0" else None,
            "open_weights": True,
            "framework": ["PyTorch", "Transformers"],
            "similarity_fn_name": ScoringFunction.COSINE,
            "use_instructions": entry.query_instruction is not None,
        }
    )
