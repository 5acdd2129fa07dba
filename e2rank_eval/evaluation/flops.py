"""Floating-point operations of a query, from the model's configuration; the rate that a device reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.loading import Models
from e2rank_eval.records import QueryStats


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """What decides the cost of a forward pass.

    ``matmul_parameters`` are the weights of all linear layers but the output layer over the
    vocabulary, which ``head_parameters`` counts; embedding look-ups multiply nothing.
    ``attention_width`` is layers x heads x size of a head.
    """

    matmul_parameters: int
    head_parameters: int
    attention_width: int

    def forward(self, tokens: float, sequences: float) -> float:
        """Return the operations of reading ``tokens`` in so many sequences.

        2 per weight and token, 4 per unit of attention width, token and position of its sequence
        (arXiv 2204.02311, appendix B, forward third).
        Sequences are taken to be of one length; of different lengths, attention takes more.
        """
        if not tokens:
            return 0.0
        length = tokens / sequences
        return tokens * (2.0 * self.matmul_parameters + 4.0 * self.attention_width * length)

    def generate(self, prompt_tokens: float, output_tokens: float, calls: float) -> float:
        """Return the operations of generating ``output_tokens`` after ``calls`` prompts.

        Each token by itself with its keys and values kept: as above, and 2 per weight of the output layer.
        """
        if not output_tokens:
            return 0.0
        context = (prompt_tokens + output_tokens / 2) / calls
        weights = self.matmul_parameters + self.head_parameters
        return output_tokens * (2.0 * weights + 4.0 * self.attention_width * context)


def read_shape(folder: Path) -> TransformerShape | None:
    """Return the shape that ``folder/config.json`` describes, counted on a model without any storage.

    None for what the formula does not fit: encoder-decoders, mixtures of experts.
    """
    import torch
    from transformers import AutoModel

    from e2rank_eval.models.checkpoints import load_config

    loader: Any = AutoModel
    config = load_config(folder)
    if config.is_encoder_decoder or any("expert" in key for key in config.to_dict()):
        return None
    with torch.device("meta"):
        body = loader.from_config(config, trust_remote_code=False)
    weights = 0
    for name, layer in body.named_modules():
        # BERT's pooler reads one position of a sequence, and no vector here goes through it.
        if isinstance(layer, torch.nn.Linear) and not name.startswith("pooler."):
            weights += layer.weight.numel()
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return TransformerShape(
        matmul_parameters=weights,
        head_parameters=config.vocab_size * config.hidden_size,
        attention_width=config.num_hidden_layers * config.num_attention_heads * head_size,
    )


def query_flops(shape: TransformerShape, stats: QueryStats, candidates: int) -> float:
    """Estimate what ranking one query took: documents by themselves, prompts, and output.

    A query's prompts are taken to be of one length, and so are its documents.
    """
    return (
        shape.forward(stats.document_tokens, max(1, candidates))
        + shape.forward(stats.prompt_tokens, max(1, stats.calls))
        + shape.generate(stats.prompt_tokens, stats.output_tokens, max(1, stats.calls))
    )


_IN_PROCESS = ("sentence-transformers", "transformers", "gguf")
"""Formats that transformers can run here."""

_ROWS = {"cpu": 2048, "cuda": 8192}
"""Side of the square product whose rate is taken as the device's: larger ones are no faster on a CPU, and on
a GPU the launch of one so small takes as long as its work."""


def matmul_rate(dtype: str, clock: Callable[[], float], *, seconds: float = 0.5) -> float:
    """Measure the operations per second of a square matrix product on the device of the models, by ``clock``.

    The best of what fits into ``seconds`` counts, three products at least.
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
            if device.type == "cuda":
                torch.cuda.synchronize(device)
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

    None for a reranker without a model, one that another program runs, and a shape that is not known.
    """
    name = getattr(settings, "model", None)
    if name is None:
        return None
    entry = models.entry(name)
    if entry.engine != "transformers" or entry.format not in _IN_PROCESS:
        return None
    shape = read_shape(loadable_folder(models.examine(name).path, entry.format))
    return None if shape is None else Engine(shape, rate(entry.dtype))
