"""Local data under mteb's own classes: published scores are met, and wrong files are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.mteb_suite.encoder import MtebEncoder
from e2rank_eval.mteb_suite.local_tasks import labelled_texts, local_task, local_tasks, scored_pairs
from e2rank_eval.mteb_suite.running import ResultFiles, run_tasks

STS13 = 80.60
"""all-MiniLM-L6-v2 on STS13: Spearman of the cosine x 100, as published on its leaderboard."""


@pytest.mark.slow
def test_minilm_has_its_published_score_on_sts13(
    minilm: Callable[[], MtebEncoder],
    own_cache: Path,
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("E2RANK_DATA", str(shared_data))
    (record,) = run_tasks(
        minilm(), {"STS13Local": "STS"}, lambda name: local_task(name, own_cache), ResultFiles(tmp_path)
    )
    assert record.failure is None
    assert record.score == pytest.approx(STS13, abs=0.05)
    assert record.texts == 3000


@pytest.mark.parametrize("name", [name for name, one in local_tasks().items() if one.data.kind == "folder"])
def test_every_folder_task_reads_the_stated_number_of_rows(
    name: str, shared_data: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2RANK_DATA", str(shared_data))
    task = local_task(name, own_cache)
    task.load_data()
    assert task.metadata.revision != local_task("LeeRetrieval", own_cache).metadata.revision


def test_without_a_folder_the_variable_is_named(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2RANK_DATA", raising=False)
    with pytest.raises(UnavailableError, match="STS13Local: set E2RANK_DATA to a folder that holds sts/"):
        local_task("STS13Local", own_cache)


@pytest.mark.parametrize(
    ("line", "message"),
    [("high\tone\ttwo", "score 'high' is not a number from 0 to 5"), ("3.0\tone", "2 fields instead of 3")],
)
def test_a_malformed_pair_is_named_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(f"5\tone\tone\n\tunscored\tpair\n{line}\n")
    with pytest.raises(InputError, match=rf"pairs.tsv:3: {message}"):
        scored_pairs([path])


def test_a_sample_has_of_each_label_its_share_and_is_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "texts.tab"
    rows = [f"{'rare' if n % 10 == 0 else 'common'}\ttext {n}" for n in range(100)]
    path.write_text("\n".join(["Category\tText", "d\tstring", "class", *rows]) + "\n")
    data = labelled_texts([path], 20)
    labels = data["test"]["labels"]
    assert sorted((list(labels).count(one) for one in set(labels)), reverse=True) == [18, 2]
    assert data["test"]["sentences"] == labelled_texts([path], 20)["test"]["sentences"]
