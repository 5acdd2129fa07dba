"""The instruction that a text of an mteb task is encoded with: of mteb's metadata, overridden by a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mteb.abstasks.abstask import get_abstask_prompt
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.types import PromptType

from e2rank_eval.config.reading import line_of, load_mapping
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.prompts import query_input
from e2rank_eval.models.registry import ModelEntry

Instructions = Mapping[str, str | None]
"""Instruction by task, task and side (``SciFact-query``) or type; None: the text alone."""

_SIDES = {PromptType.query: "query", PromptType.document: "document"}


@cache
def packaged_instructions() -> Instructions:
    """Return the overrides of the suite itself."""
    return load_mapping(Path(__file__).with_name("instructions.yaml"))


def read_instructions(path: Path) -> Instructions:
    """Return the packaged overrides; those of a YAML file take precedence over them.

    Raises
    ------
    InputError
        Naming file and line, where a value is neither text nor null.
    """
    own: dict[str, Any] = load_mapping(path)
    for key, value in own.items():
        if value is not None and not isinstance(value, str):
            raise InputError(
                f"the instruction of {key!r} is not text", path=path, line=line_of(path, [key]),
                hint="write one line, or null for none",
            )  # fmt: skip
    return {**packaged_instructions(), **own}


def instruction(
    metadata: TaskMetadata, prompt_type: PromptType | None, overrides: Instructions
) -> str | None:
    """Return the instruction of one side of a task; None where it has none.

    In this order: the overrides by task and side, then by task; the metadata's prompt (one text for the
    whole task, or one for each side); the overrides by type; the default of mteb's class of tasks. A
    document, one side of a retrieval or reranking task, has an instruction only by task and side.
    """
    if prompt_type is not None and (key := f"{metadata.name}-{_SIDES[prompt_type]}") in overrides:
        return overrides[key]
    if prompt_type is PromptType.document:
        return None
    if metadata.name in overrides:
        return overrides[metadata.name]
    stated: Any = metadata.prompt
    prompt: str | None = stated.get("query") if isinstance(stated, Mapping) else stated
    if prompt:
        return prompt
    if metadata.type in overrides:
        return overrides[metadata.type]
    return get_abstask_prompt(metadata.name)


class TaskInputs:
    """How a model of the registry is given the texts of a task.

    A decoder that has a query instruction reads ``Instruct: ...\\nQuery:text`` on every side but that of
    documents, as its training had it; any other model reads the text, with a prompt of its own.
    """

    def __init__(self, entry: ModelEntry, overrides: Instructions | None = None) -> None:
        self._overrides = packaged_instructions() if overrides is None else overrides
        self.instructed = entry.kind == "decoder" and bool(entry.query_instruction)

    def template(self, metadata: TaskMetadata, prompt_type: PromptType | None) -> str | None:
        """Return this side's instruction, or None."""
        return instruction(metadata, prompt_type, self._overrides) if self.instructed else None

    def apply(self, text: str, template: str | None) -> str:
        """Return the input for ``text`` with what :meth:`template` returned."""
        return text if template is None else query_input(template, text)
