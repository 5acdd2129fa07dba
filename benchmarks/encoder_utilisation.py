"""The share of the device's matrix-multiply rate that the encoder reaches, at the shapes of its layers.

Usage: python benchmarks/encoder_utilisation.py [--documents 100] [--rounds 5] [--threads 2] [--model NAME]

The device's rate: the matrix product of every linear layer with the rows of a full batch, timed alone, and
weighted by its share of the operations. The encoder's rate: operations of its input tokens without padding,
attention included, per second, tokenisation included. The two take turns in one run. Goal: 70 %.
For a short trial: --documents 20 --rounds 1.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import torch
from support.options import options
from support.texts import docstrings
from support.turns import medians
from transformers import AutoConfig, AutoModel

from e2rank_eval.evaluation.flops import read_shape
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.engines.packing import PACK_TOKENS
from e2rank_eval.models.loading import Models

MODELS = ("all-minilm-l6-v2", "smollm2-135m-instruct-q4")


def layer_products(
    folder: Path, rows: int, dtype: torch.dtype
) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
    """Return (number of layers, input [rows, inner], weight [columns, inner]) for each linear layer shape."""
    with torch.device("meta"):
        body = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    shapes = Counter(
        tuple(layer.weight.shape)
        for name, layer in body.named_modules()
        if isinstance(layer, torch.nn.Linear) and not name.startswith("pooler.")
    )
    place = {"device": "cuda" if torch.cuda.is_available() else "cpu", "dtype": dtype}
    return [
        (count, torch.randn(rows, shape[1], **place), torch.randn(*shape, **place))
        for shape, count in shapes.items()
    ]


@torch.inference_mode()
def run_products(products: list[tuple[int, torch.Tensor, torch.Tensor]]) -> None:
    for count, inputs, weight in products:
        for _ in range(count):
            torch.nn.functional.linear(inputs, weight)


def measure(name: str, given: argparse.Namespace) -> None:
    models = Models(given.cache, threads=given.threads, vector_cache=False)
    model, encoder = models.catalogue.examine(name), models.encoder(name)
    body = loadable_folder(model.path, model.entry.format)
    shape = read_shape(body)
    assert shape is not None
    rows = PACK_TOKENS
    dtype = getattr(torch, model.entry.dtype) if torch.cuda.is_available() else torch.float32
    products = layer_products(body, rows, dtype)
    mixed = docstrings(given.documents)
    words = cycle(" ".join(docstrings(1000)).split())
    even = [" ".join(islice(words, 90)) for _ in range(given.documents)]
    for what, texts in (("docstrings of mixed length", mixed), ("texts of 90 words", even)):
        tokens = encoder.encode(texts, "document").tokens
        work = {
            "encoder": lambda texts=texts: encoder.encode(texts, "document"),
            "products": lambda: run_products(products),
        }
        seconds = medians(work, given.rounds, warm_up=1)
        operations = sum(shape.forward(one, 1) for one in tokens)
        reached = operations / seconds["encoder"]
        possible = 2 * shape.matmul_parameters * rows / seconds["products"]
        print(
            f"{name}, {len(texts)} {what} ({sum(tokens):,} tokens), {given.threads} threads: "
            f"{reached / 1e9:.1f} of {possible / 1e9:.1f} GFLOP/s at its own shapes, "
            f"{reached / possible:.0%}; goal 70 %"
        )


def main() -> None:
    parser = options(__doc__, documents=100, rounds=5)
    parser.add_argument("--model", action="append", help=f"default: {', '.join(MODELS)}")
    given = parser.parse_args()
    for name in given.model or MODELS:
        measure(name, given)


if __name__ == "__main__":
    main()
