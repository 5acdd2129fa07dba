"""Fine-tuning on one judged collection: the model, and controls trained on the same lists."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from e2rank_eval.config.reading import checked
from e2rank_eval.config.references import parse_reference
from e2rank_eval.config.training import (
    CrossEncoderRun,
    DevelopmentSettings,
    InfoNCESettings,
    JudgedCollection,
    OptimiserSettings,
    PromptSettings,
    ResidualSettings,
    SaveSettings,
    Stage2Run,
    TrainingFile,
    TrainingRun,
)
from e2rank_eval.datasets.loading import Collection, without_split
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.training.data import held_out

Control = Literal["query-encoder", "cross-encoder"]

_WINDOW = 256
"""Tokens of a prompt, in training and in use: half of the window of most encoders, at half the cost."""

_BATCH, _EVALUATIONS = 8, 8
_MOST_STEPS, _PASSES = 240, 4
"""By default training ends after 240 steps, or after four passes if these are fewer steps: with few lists,
further passes only fit these lists better."""

_EQUAL_SHARES = 100
"""Training lists with which the saved weights are half the trained ones and half the base's; with more, the
share of the trained ones rises. Chosen on seven small collections (docs/training.md)."""


@dataclass(frozen=True, slots=True)
class FineTuning:
    """A base model, a collection and the settings of fine-tuning; ``output`` is the model's folder.

    Controls are stored beside ``output``. ``documents`` is the number of candidates in a prompt; training
    draws it between a third of this and all. Without ``steps``, their number follows from that of the
    training lists.
    """

    base: str
    collection: JudgedCollection
    output: Path
    controls: tuple[Control, ...]
    documents: int
    steps: int | None
    seed: int
    threads: int

    def training_file(self, base: ModelEntry, data: Collection, lists: int, cache: Path) -> TrainingFile:
        """Return the runs of the model, named after its folder, and of the controls.

        ``base`` is the base's registry entry, ``data`` the split that they are trained on, and ``lists`` the
        number of its training lists.
        """
        steps = self.steps or _steps(lists)
        kept = lists - held_out(lists)
        shared: dict[str, Any] = {
            "model": self.base,
            "collection": self.collection,
            "licence": f"{base.licence}, trained on data under {data.licence}",
            "seed": self.seed,
            "threads": self.threads,
            "steps": steps,
            "dropout": False,
            "optimiser": OptimiserSettings(learning_rate=1e-4, warm_up=0.1),
            "trainable": ["layer"],
            "checkpoint_every": 20,
            "save": SaveSettings(trained=round(kept / (kept + _EQUAL_SHARES), 2)),
        }
        title = f"{base.title} fine-tuned on {data.dataset.id}"
        runs: dict[str, TrainingRun] = {self.output.name: self._run(title, self.documents, base, shared)}
        if "query-encoder" in self.controls:
            control = self._run(f"{title}, query encoder alone", 0, base, shared)
            runs[self.control("query-encoder").name] = control
        if "cross-encoder" in self.controls:
            runs[self.control("cross-encoder").name] = CrossEncoderRun(
                objective="cross-encoder", title=f"{title}, cross-encoder",
                development=DevelopmentSettings(every=max(1, steps // 4), patience=4),
                batch=4, device_batch=1, list_documents=8, window=min(_WINDOW, base.window),
                # A new head has no base to average with.
                **shared | {"trainable": [], "save": SaveSettings()},
            )  # fmt: skip
        file = {"output": self.output.parent, "cache": cache, "runs": runs}
        return checked(TrainingFile, file, f"the run of {self.output}")

    def control(self, name: Control) -> Path:
        """Return the folder of a control."""
        return self.output.parent / f"{self.output.name}-{name}"

    def _run(self, title: str, documents: int, base: ModelEntry, shared: dict[str, Any]) -> Stage2Run:
        use = flow(reranker(self.output.name, documents))
        window = min(_WINDOW, base.window)
        limits = {"window": window, "query_tokens": window}
        limits["document_tokens"] = min(base.document_tokens, window)
        return Stage2Run(
            objective="stage2", title=title, batch=_BATCH, entry=limits, **limits,
            prompt=PromptSettings(documents=(-(-documents // 3), documents), variant="eval"),
            frozen_documents=True, residual=ResidualSettings(weight=1.0),
            info_nce=InfoNCESettings(temperature=0.05, vector="listwise", positive="labelled"), ranknet=None,
            development=DevelopmentSettings(every=max(1, shared["steps"] // _EVALUATIONS), patience=3),
            note=f"Documents and plain queries keep the vectors of the base model, whose index serves. As a "
            f"reranker: `{use}`.",
            **shared,
        )  # fmt: skip


def _steps(lists: int) -> int:
    """Return the default number of optimizer steps for so many lists, held-out lists included.

    >>> _steps(125), _steps(809)
    (50, 240)
    """
    return min(_MOST_STEPS, math.ceil(_PASSES * (lists - held_out(lists)) / _BATCH))


def reranker(model: str, documents: int) -> dict[str, Any]:
    """Return the settings of E2Rank with a model, as fine-tuning trains it."""
    use = {"combination": "residual", "weight": 1.0, "prompt_documents": documents}
    return {"family": "e2rank", "model": model, **use}


def flow(settings: dict[str, Any]) -> str:
    """Return settings in YAML on one line.

    >>> flow({"family": "e2rank", "weight": 1.0})
    '{family: e2rank, weight: 1.0}'
    """
    return yaml.safe_dump(
        settings, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1000
    ).strip()


def default_output(base: str, dataset: str) -> Path:
    """Return ``models/<data set>-<base>``, a folder in which the registry finds trained models.

    >>> default_output("all-minilm-l6-v2", "beir/scifact/train").as_posix()
    'models/scifact-all-minilm-l6-v2'
    >>> default_output("./checkpoints/Mine", "my data").as_posix()
    'models/my_data-mine'
    """
    parsed = parse_reference(base)
    model = parsed.folder.resolve().name if parsed.kind == "folder" else parsed.name.rsplit("/", 1)[-1]
    data = Path(without_split(dataset)).resolve().name
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{data}-{model.lower()}")
    return Path("models") / (name if name[0].isalnum() else f"data{name}")
