"""The instruction for the texts of an mteb task: from mteb's metadata, or overridden by a file."""

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
"""Instruction by task, by task and side (``SciFact-query``), or by type; None for no instruction."""

_SIDES = {PromptType.query: "query", PromptType.document: "document"}


@cache
def packaged_instructions() -> Instructions:
    """Return the overrides that the suite ships."""
    return load_mapping(Path(__file__).with_name("instructions.yaml"))


def read_instructions(path: Path) -> Instructions:
    """Return the packaged overrides; those of a YAML file take precedence over them.

    Raises
    ------
    InputError
        When a value is neither text nor null, with file and line.
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
    """Return the instruction of one side of a task; None if it has none.

    The first that exists is used: the override by task and side; by task; the metadata's prompt (one for the
    whole task, or one for each side); the override by type; the default of mteb's task class. Documents (a
    side of retrieval and reranking tasks) have an instruction only by task and side.
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
    """The input texts of a task for a model of the registry.

    A decoder with a query instruction gets ``Instruct: ...\\nQuery:text`` for every side except documents, as
    in its training; any other model gets the text, to which its encoder adds its own prompt, if any.
    """

    def __init__(self, entry: ModelEntry, overrides: Instructions | None = None) -> None:
        self._overrides = packaged_instructions() if overrides is None else overrides
        self.instructed = entry.kind == "decoder" and bool(entry.query_instruction)

    def template(self, metadata: TaskMetadata, prompt_type: PromptType | None) -> str | None:
        """Return this side's instruction, or None."""
        return instruction(metadata, prompt_type, self._overrides) if self.instructed else None

    def apply(self, text: str, template: str | None) -> str:
        """Return the input for ``text`` with the instruction from :meth:`template`."""
        return text if template is None else query_input(template, text)
