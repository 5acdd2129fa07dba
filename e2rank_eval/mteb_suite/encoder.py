"""Adapter of the suite's encoders to mteb: its protocol, metadata, and counts of texts and tokens."""

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
"""The organisation of models and rerankers that are not on a hub."""


@dataclass(slots=True)
class Usage:
    """Counts of a task: ``texts`` and ``tokens`` of its inputs, ``truncated`` texts, and ``forward_tokens``,
    the tokens computed, without repeated texts and stored vectors."""

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
        """Add a ranking; all of its tokens are computed."""
        stats = ranking.stats
        self.texts += len(ranking.candidates)
        self.tokens += stats.prompt_tokens + stats.output_tokens + stats.document_tokens
        self.truncated += stats.truncated_documents
        self.forward_tokens = self.tokens


class MtebEncoder(AbsEncoder):
    """An encoder behind mteb's interface; similarity is the cosine.

    An encoder without prompts encodes every text of a task, with its instruction, as a document. A text then
    has one vector in all tasks, which is computed once if ``encoder`` keeps vectors, and one token limit, as
    in mteb's ``max_tokens``. An encoder with prompts for queries and documents encodes each side of a task
    with its prompt, and texts of tasks without sides with none.
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
        """Return the tokens computed so far; without stored vectors, these are all tokens."""
        if isinstance(self._encoder, CachedEncoder):
            return self._encoder.computed_tokens
        return self._usage.tokens

    def key(self, task: AbsTask) -> str:
        """Return the hash of everything in this suite that affects the model's score on ``task``."""
        sides = (None, PromptType.query, PromptType.document)
        templates = [self._inputs.template(task.metadata, side) for side in sides]
        encoder = self._encoder.fingerprint if self._prompted else self._encoder.document_fingerprint
        return sha256_json({"encoder": encoder, "templates": templates})

    def take_usage(self) -> Usage:
        """Return the counts since the last call, and reset them."""
        usage, self._usage = self._usage, Usage()
        return usage


def load_mteb_encoder(name: str, models: Models, instructions: Instructions | None = None) -> MtebEncoder:
    """Load the model that ``name`` refers to as mteb's encoder.

    If ``models`` keep vectors, texts shared by several tasks are encoded once; for corpora of millions of
    documents, storing vectors does not pay.

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
    """Return the metadata under which mteb stores results; unknown fields are None.

    The name of a hub model is its repository. Its revision is the commit if the registry pins its files by
    hash (from whichever source they were fetched); otherwise it is the version of the source, or the hash of
    the fetched files.
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
