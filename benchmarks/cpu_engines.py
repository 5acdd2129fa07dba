"""Engines and number formats for MiniLM on a CPU: throughput, agreement of vectors, and nDCG@10.

Usage: python benchmarks/cpu_engines.py [--rounds 3] [--documents 100] [--threads 1] [--cache cache]

All engines process the same sequences (exported models: padded) and take turns within a round; the baseline,
in the first row, is this suite's engine in float32. Printed are ratios of median throughputs, the smallest
cosine between a document's vector and the baseline's, and nDCG@10 of query-only MiniLM on lee among all 49
other texts. ONNX Runtime and OpenVINO are included if `onnx`, `onnxruntime` and `openvino` are installed.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from encoder_throughput import MODEL
from support.options import options
from support.texts import docstrings
from support.turns import medians

from e2rank_eval.datasets.loading import load_registered
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import registered_model
from e2rank_eval.store.trec import Run


class Body(torch.nn.Module):
    """The transformer as a function of two tensors, as exporters require."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class Exported:
    """Gives ``run`` (named arrays to states) the interface of a transformers model; inputs are padded."""

    config = SimpleNamespace(model_type="exported")

    def __init__(self, run: Callable[[dict[str, np.ndarray]], np.ndarray]) -> None:
        self._run = run

    def __call__(self, input_ids: Any, attention_mask: Any) -> Any:
        states = self._run({"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()})
        return SimpleNamespace(last_hidden_state=torch.from_numpy(np.array(states)))


def quantised(model: Any) -> Any:
    """Return the model with linear layers in int8 and dynamically quantised activations."""
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def onnx_models(model: Any, threads: int) -> dict[str, Exported]:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = Path(tempfile.mkdtemp())
    ids = torch.ones(2, 16, dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "rows", 1: "tokens"} for name in [*names, "states"]}
    torch.onnx.export(
        Body(model), (ids, ids), str(folder / "float32"), input_names=names, output_names=["states"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    quantize_dynamic(str(folder / "float32"), str(folder / "int8"), weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    made = {}
    for kind in ("float32", "int8"):
        session = onnxruntime.InferenceSession(
            str(folder / kind), options, providers=["CPUExecutionProvider"]
        )
        made[f"ONNX Runtime {kind}"] = Exported(lambda given, session=session: session.run(None, given)[0])
    return made


def openvino_models(model: Any, threads: int) -> dict[str, Exported]:
    import openvino

    ids = torch.ones(2, 16, dtype=torch.long)
    converted = openvino.convert_model(Body(model), example_input=(ids, ids))
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", settings)
    return {"OpenVINO float32": Exported(lambda given: compiled(list(given.values()))[0])}


def ndcg(encoder: Any, dataset: Any) -> float:
    """Return the mean nDCG@10 x 100 of the query vectors' order of all documents that are not excluded."""
    ids = list(dataset.corpus)
    documents = encoder.encode(
        [document.contents for document in dataset.corpus.values()], "document"
    ).vectors
    queries = encoder.encode([query.text for query in dataset.queries.values()], "query").vectors
    run = {}
    for query_id, scores in zip(dataset.queries, queries @ documents.T, strict=True):
        excluded = dataset.exclusions.get(query_id, frozenset())
        run[query_id] = {i: float(s) for i, s in zip(ids, scores, strict=True) if i not in excluded}
    return 100 * evaluate(Run(run), dataset.qrels, ["nDCG@10"]).mean["nDCG@10"]


def main() -> None:
    arguments = options(__doc__, rounds=3, documents=100, threads=1).parse_args()
    torch.set_num_threads(arguments.threads)
    folder = Catalogue(arguments.cache).examine(MODEL).path
    dataset = load_registered("lee", arguments.cache, seed=13).dataset

    def with_model(change: Callable[[Any], Any]) -> Any:
        encoder: Any = load_encoder(folder, registered_model(MODEL), file_hashes={})
        encoder.backbone.model = change(encoder.backbone.model)
        return encoder

    engines = {
        "this suite, float32": with_model(lambda model: model),
        "torch bfloat16": with_model(lambda model: model.to(torch.bfloat16)),
        "torch int8": with_model(quantised),
    }
    plain = with_model(lambda model: model).backbone.model
    for package, make in (("onnxruntime", onnx_models), ("openvino", openvino_models)):
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed: skipped")
            continue
        for name, model in make(plain, arguments.threads).items():
            engines[name] = with_model(lambda _, model=model: model)
    report(engines, docstrings(arguments.documents), dataset, arguments.rounds)


def report(engines: dict[str, Any], texts: list[str], dataset: Any, rounds: int) -> None:
    first = next(iter(engines))
    expected = engines[first].encode(texts, "document").vectors
    works = {
        name: lambda encoder=encoder: encoder.encode(texts, "document") for name, encoder in engines.items()
    }
    seconds = medians(works, rounds, warm_up=1)
    for name, encoder in engines.items():
        cosine = float((encoder.encode(texts, "document").vectors * expected).sum(axis=1).min())
        print(
            f"{name}: ratio of medians {seconds[first] / seconds[name]:.2f}, "
            f"least cosine {cosine:.4f}, nDCG@10 on lee {ndcg(encoder, dataset):.2f}"
        )


if __name__ == "__main__":
    main()
