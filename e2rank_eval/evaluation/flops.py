"""Estimated floating-point operations per query, and the measured matrix-multiply rate of a device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.loading import Models
from e2rank_eval.models.timing import synchronise
from e2rank_eval.records import QueryStats


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """The sizes of a transformer that determine the operations of a forward pass.

    ``matmul_parameters`` counts the weights of all linear layers except the output layer over the
    vocabulary, which ``head_parameters`` counts; embedding look-ups need no multiplication.
    ``attention_width`` is layers x heads x size of a head.
    """

    matmul_parameters: int
    head_parameters: int
    attention_width: int

    def forward(self, tokens: float, sequences: float) -> float:
        """Return the operations of a forward pass over ``tokens`` tokens in ``sequences`` sequences.

        2 per weight and token, and 4 per unit of attention width, token and position of its sequence
        (arXiv 2204.02311, appendix B, forward third).
        The sequences are assumed to have equal lengths; with unequal lengths, attention costs more.
        """
        if not tokens:
            return 0.0
        length = tokens / sequences
        return tokens * (2.0 * self.matmul_parameters + 4.0 * self.attention_width * length)

    def generate(self, prompt_tokens: float, output_tokens: float, calls: float) -> float:
        """Return the operations of generating ``output_tokens`` after ``calls`` prompts.

        One token at a time, with cached keys and values: as in :meth:`forward`, plus 2 per weight of the
        output layer.
        """
        if not output_tokens:
            return 0.0
        context = (prompt_tokens + output_tokens / 2) / calls
        weights = self.matmul_parameters + self.head_parameters
        return output_tokens * (2.0 * weights + 4.0 * self.attention_width * context)


def read_shape(folder: Path) -> TransformerShape | None:
    """Return the shape that ``folder/config.json`` describes, counted on a model without weights.

    None for models that the formula does not cover: encoder-decoders, mixtures of experts, layers that share
    their weights (ALBERT) or are not of torch's linear form (GPT-2).
    """
    import torch
    from transformers import AutoModel

    from e2rank_eval.models.checkpoints import load_config

    loader: Any = AutoModel
    config = load_config(folder)
    keys = config.to_dict()
    if config.is_encoder_decoder or "num_hidden_groups" in keys or any("expert" in key for key in keys):
        return None
    with torch.device("meta"):
        body = loader.from_config(config, trust_remote_code=False)
    weights = 0
    for name, layer in body.named_modules():
        # BERT's pooler processes one position of a sequence, and no vector here uses it.
        if isinstance(layer, torch.nn.Linear) and not name.startswith("pooler."):
            weights += layer.weight.numel()
    if not weights:
        return None
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return TransformerShape(
        matmul_parameters=weights,
        head_parameters=config.vocab_size * config.hidden_size,
        attention_width=config.num_hidden_layers * config.num_attention_heads * head_size,
    )


def query_flops(shape: TransformerShape, stats: QueryStats, candidates: int) -> float:
    """Estimate the operations of ranking one query: encoding documents, prompts, and output.

    The prompts of a query are assumed to have equal lengths, and so are its documents.
    """
    return (
        shape.forward(stats.document_tokens, max(1, candidates))
        + shape.forward(stats.prompt_tokens, max(1, stats.calls))
        + shape.generate(stats.prompt_tokens, stats.output_tokens, max(1, stats.calls))
    )


_IN_PROCESS = ("sentence-transformers", "transformers", "gguf")
"""Formats that transformers can run here."""

_ROWS = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices whose product measures the rate: larger ones reach no higher rate on a CPU, and
on a GPU a product as small as the CPU's takes no longer than its launch."""


def matmul_rate(dtype: str, clock: Callable[[], float], *, seconds: float = 0.5) -> float:
    """Measure the operations per second of a square matrix product on the device of the models, by ``clock``.

    The fastest product within ``seconds`` counts, of at least three.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = getattr(torch, dtype if device.type == "cuda" else "float32")
    rows = _ROWS[device.type]
    left, right = (torch.randn(rows, rows, device=device, dtype=kind) for _ in range(2))
    best, end, done = float("inf"), time.perf_counter() + seconds, 0
    with torch.inference_mode():
        while done < 4 or time.perf_counter() < end:
            start = clock()
            torch.nn.functional.linear(left, right)
            synchronise()
            # The first product also chooses its kernel.
            best = min(best, clock() - start) if done else best
            done += 1
    return 2.0 * rows**3 / best


@dataclass(frozen=True, slots=True)
class Engine:
    """The shape of a timed model, and the operations per second that its device reaches."""

    shape: TransformerShape
    matmul_rate: float


def engine_of(settings: RerankerSettings, models: Models, rate: Callable[[str], float]) -> Engine | None:
    """Return the engine of a reranker; ``rate`` measures :func:`matmul_rate` for a dtype.

    None for a reranker without a model, for a model that another engine or a server runs, and for an unknown
    shape.
    """
    name = getattr(settings, "model", None)
    if name is None:
        return None
    entry = models.catalogue.entry(name)
    if entry.engine != "transformers" or entry.format not in _IN_PROCESS:
        return None
    shape = read_shape(loadable_folder(models.catalogue.examine(name).path, entry.format))
    return None if shape is None else Engine(shape, rate(entry.dtype))
