"""An encoder of ours as mteb's EncoderProtocol sees it."""

from __future__ import annotations

from typing import Any

from mteb.abstasks import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta
from mteb.types import PromptType

from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.mteb_suite.instructions import TaskInputs
from e2rank_eval.mteb_suite.metering import MeteredEncoder, Usage
from e2rank_eval.store.files import sha256_json


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
        """Unit vectors float32 [n, d], in the order of ``inputs``, a loader of batches with a ``text``.

        ``kwargs`` (batch size, progress bar) are mteb's advice to engines without batches of their own.
        """
        template = self._inputs.template(task_metadata, prompt_type)
        texts = [self._inputs.apply(text, template) for batch in inputs for text in batch["text"]]
        encoded = self._encoder.encode(texts, "document")
        self._usage.read(encoded)
        return encoded.vectors

    def key(self, task: AbsTask) -> str:
        """What decides this model's score on ``task``, as far as it is ours to decide."""
        sides = (None, PromptType.query, PromptType.document)
        return sha256_json(
            {
                "encoder": self._encoder.document_fingerprint,
                "templates": [self._inputs.template(task.metadata, side) for side in sides],
            }
        )

    def take_usage(self) -> Usage:
        """What was read and computed since this was last asked."""
        usage, self._usage = self._usage, Usage()
        usage.forward_tokens, self._metered.forward_tokens = self._metered.forward_tokens, 0
        return usage
