"""The inputs that mteb's tasks give to our encoders, and equal scores with mteb's wrapper of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import mteb
import numpy as np
import pytest
from mteb.models.models_protocols import EncoderProtocol
from mteb.types import PromptType

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded
from e2rank_eval.models.loading import Models
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import registered_model
from e2rank_eval.mteb_suite.encoder import MtebEncoder, load_mteb_encoder, model_meta
from e2rank_eval.mteb_suite.instructions import (
    TaskInputs,
    instruction,
    packaged_instructions,
    read_instructions,
)
from e2rank_eval.mteb_suite.running import ResultFiles, run_tasks
from e2rank_eval.store.files import sha256_json

QUERY, DOCUMENT = PromptType.query, PromptType.document


@pytest.mark.parametrize(
    ("task", "side", "expected"),
    [
        # As mteb's metadata has them.
        ("SciFact", QUERY, "Given a scientific claim, retrieve documents that support or refute the claim"),
        ("SciFact", DOCUMENT, None),
        ("AskUbuntuDupQuestions", QUERY, "Retrieve duplicate questions from AskUbuntu forum"),
        ("AskUbuntuDupQuestions", DOCUMENT, None),
        ("Banking77Classification", None, "Given a online banking query, find the corresponding intents"),
        # mteb's default for the class of tasks.
        ("STS13", None, "Retrieve semantically similar text."),
    ],
)
def test_instructions_are_those_of_the_task(task: str, side: PromptType | None, expected: str | None) -> None:
    assert instruction(mteb.get_task(task).metadata, side, packaged_instructions()) == expected


def test_an_instruction_file_takes_precedence_over_mteb_by_task_and_by_side(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("STS13: Compare.\nSciFact-query: Refute.\nSciFact-document: Read.\nSTS14: null\n")
    own = read_instructions(path)
    metadata = {name: mteb.get_task(name).metadata for name in ("STS13", "STS14", "SciFact")}
    assert instruction(metadata["STS13"], None, own) == "Compare."
    assert instruction(metadata["STS14"], None, own) is None
    assert instruction(metadata["SciFact"], QUERY, own) == "Refute."
    assert instruction(metadata["SciFact"], DOCUMENT, own) == "Read."
    path.write_text("STS13: Compare.\nSTS14: [1]\n")
    with pytest.raises(InputError, match=r"own.yaml:2: the instruction of 'STS14' is not text"):
        read_instructions(path)


def test_a_decoder_reads_the_instruction_on_every_side_but_that_of_documents() -> None:
    inputs = TaskInputs(registered_model("e2rank-0.6b"))
    metadata = mteb.get_task("SciFact").metadata
    message = inputs.apply("Cats purr.", inputs.template(metadata, QUERY))
    assert message == (
        "Instruct: Given a scientific claim, retrieve documents that support or refute the claim\n"
        "Query:Cats purr."
    )
    assert inputs.apply("Cats purr.", inputs.template(metadata, DOCUMENT)) == "Cats purr."
    sts = mteb.get_task("STS13").metadata
    assert inputs.apply("A cat.", inputs.template(sts, None)).startswith("Instruct: Retrieve semantically")
    plain = TaskInputs(registered_model("all-minilm-l6-v2"))
    assert plain.apply("A cat.", plain.template(metadata, QUERY)) == "A cat."


@pytest.mark.parametrize(
    ("model", "prompts", "kinds"),
    [
        ("all-minilm-l6-v2", {}, ["document", "document", "document"]),
        ("all-minilm-l6-v2", {"query": "q: ", "document": ""}, ["query", "document", "text"]),
        ("e2rank-0.6b", {"document": "d: "}, ["text", "document", "text"]),
    ],
)
def test_an_encoder_with_prompts_encodes_each_side_with_its_prompt(
    model: str, prompts: dict[str, str], kinds: list[str]
) -> None:
    encoder: Any = Mock(prompts=prompts)
    encoder.encode.return_value = Encoded(np.ones((1, 2), dtype=np.float32), (1,), (0,))
    adapter = MtebEncoder(encoder, TaskInputs(registered_model(model)), Mock())
    for side in (QUERY, DOCUMENT, None):
        task = mteb.get_task("SciFact" if side else "STS13").metadata
        adapter.encode([{"text": ["a"]}], task_metadata=task, hf_split="", hf_subset="", prompt_type=side)
    assert [call.args[1] for call in encoder.encode.call_args_list] == kinds


@pytest.fixture(scope="module")
def peer(minilm_path: Path) -> Any:
    """The same model as mteb itself runs it."""
    from mteb.models import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    return SentenceTransformerEncoderWrapper(SentenceTransformer(str(minilm_path), device="cpu"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*ill-defined")
def test_every_kind_of_text_task_scores_as_with_mtebs_own_wrapper(
    minilm: Callable[[], MtebEncoder], peer: Any, tmp_path: Path
) -> None:
    """The small tasks by which mteb checks an implementation."""
    from mteb.mocks import MOCK_TASK_TEST_GRID_MONOLINGUAL

    classes = {task.metadata.name: type(task) for task in MOCK_TASK_TEST_GRID_MONOLINGUAL}
    wanted = {name: task.metadata.type for name, task in classes.items()}
    assert len(set(wanted.values())) >= 13
    records = run_tasks(minilm(), wanted, lambda name: classes[name](), ResultFiles(tmp_path))
    assert {record.task: record.failure for record in records} == dict.fromkeys(wanted)
    for record in records:
        theirs = mteb.evaluate(peer, classes[record.task](), cache=None, co2_tracker=False)
        assert record.score == pytest.approx(100 * theirs.task_results[0].get_score(), abs=1e-2), record.task


def test_texts_that_repeat_are_computed_once(
    empty_cache: Path, short_task: Callable[[], Any], tmp_path: Path
) -> None:
    model = load_mteb_encoder("all-minilm-l6-v2", Models(empty_cache, threads=1))
    assert isinstance(model, EncoderProtocol)
    files = ResultFiles(tmp_path)
    (record,) = run_tasks(model, {"LeeRetrieval": "Retrieval"}, lambda _: short_task(), files)
    assert record.texts == 100  # 50 queries and 50 documents, the same texts
    assert record.forward_tokens is not None
    assert 0 < 2 * record.forward_tokens == record.tokens


def test_results_are_stored_under_the_hub_commit_or_else_the_version_or_content(
    minilm_path: Path, fetch_cache: Path
) -> None:
    assert minilm_path.exists()
    model = Catalogue(fetch_cache).examine("all-minilm-l6-v2")
    found = model_meta(model, 384)
    assert (found.name, found.revision) == (
        "sentence-transformers/all-MiniLM-L6-v2", "8b3219a92973c328a8e22fadcfa821b5dc75636a",
    )  # fmt: skip
    entry = model.entry.model_copy(update={"sources": []})
    versioned = model_meta(replace(model, entry=entry, revision="1.0"), 384)
    assert (versioned.name, versioned.revision) == ("e2rank-eval/all-minilm-l6-v2", "1.0")
    hashed = model_meta(replace(model, entry=entry, revision=None), 384)
    assert hashed.revision == sha256_json(dict(model.files))[:40]
