"""The model card of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from e2rank_eval.config import RunBase
from e2rank_eval.training.batching import Schedule
from e2rank_eval.training.snapshots import Progress


def model_card(
    name: str,
    settings: RunBase,
    base: str,
    schedule: Schedule,
    progress: Progress,
    identity: Mapping[str, Any],
) -> str:
    """Markdown: what was trained from what on what, how it ended, and how to do it again."""
    sources: dict[str, int] = {}
    for item in schedule.lists:
        sources[item.source] = sources.get(item.source, 0) + 1
    front = yaml.safe_dump({"license": settings.licence, "base_model": base, "tags": ["e2rank-eval"]})
    lines = [f"---\n{front}---", f"# {settings.title}"]
    lines.append(
        f"`{name}`: {_OBJECTIVES[_objective(settings)]}, from `{base}`. "
        f"{progress.step} of {schedule.steps} updates of {settings.batch} lists"
        + (f"; the weights are those after update {progress.best_step}" if settings.development else "")
        + f". Seed {settings.seed}, {settings.threads} threads."
    )
    if settings.note:
        lines.append(settings.note)
    lines.append("| source | lists |\n|:--|--:|\n" + "\n".join(f"| {s} | {n} |" for s, n in sources.items()))
    hashes = "\n".join(f"- `{path}`: sha256 `{digest}`" for path, digest in identity["data"].items())
    lines.append(f"Data files:\n\n{hashes}")
    if progress.best_score is not None:
        lines.append(f"Best nDCG@10 on the development lists: {progress.best_score:.4f}.")
    lines.append(
        "`training.yaml` holds the exact configuration: `e2rank-eval train training.yaml` trains it again; "
        "`entry.yaml` is the registry entry, `log.jsonl` every update's losses."
    )
    return "\n\n".join(lines) + "\n"


_OBJECTIVES = {
    "stage1": "contrastive training of plain vectors (Stage I)",
    "stage2": "E2Rank's listwise training (Stage II)",
    "listwise": "a causal model that writes rankings (RankGPT-style)",
    "cross-encoder": "one score for query and document together, by RankNet",
}


def _objective(settings: RunBase) -> str:
    return str(settings.model_dump()["objective"])
