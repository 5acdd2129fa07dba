"""Training lists of several judged collections: their documents, judgements and questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from e2rank_eval.cli import training as commands
from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.training_lists import MixSettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.files import sha256_file
from e2rank_eval.training import mixes
from e2rank_eval.training.lists import TrainingList, read_lists

_RIVER = "the river rises in the hills and ends in the northern sea"
_LAKE = "a lake in the hills feeds the river with cold water"
_FISH = "fish of the river spawn in spring"

_COLLECTIONS = {
    "water": (
        {
            "r": ("River", _RIVER),
            "l": ("", _LAKE),
            "copy": ("", f"{_RIVER} they say"),
            "x": ("", "a town"),
            "n": ("", "no river"),
        },
        {"1": "Where does the river rise?", "2": "who left the river", "3": "a town in the hills"},
        {"1": {"r": 2}, "2": {"l": 1}, "3": {"x": 1}},
    ),
    "life": (
        {"f": ("Fish of a cold river", _FISH), "same": ("", _LAKE)},
        {"1": "where does the  river rise", "2": "river fish"},
        {"1": {"same": 1}, "2": {"f": 1}},
    ),
    "held": (
        {"h": ("", "words of a river"), "e": ("", ""), "f": ("", "")},
        {"9": "Who left the river?"},
        {"9": {"h": 2}},
    ),
}


@pytest.fixture
def mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a mix of ``water`` and ``life``, with ``held`` for development."""
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path))
    for name, (corpus, queries, qrels) in _COLLECTIONS.items():
        folder = tmp_path / name
        (folder / "qrels").mkdir(parents=True)
        rows = [{"_id": i, "title": title, "text": text} for i, (title, text) in corpus.items()]
        (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        rows = [{"_id": i, "text": text} for i, text in queries.items()]
        (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = [f"{q}\t{d}\t{grade}\n" for q, grades in qrels.items() for d, grade in grades.items()]
        (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    path = tmp_path / "mix.yaml"
    watched = {"held": {"source": "example.org", "splits": ["train"], "among_all": True}}
    path.write_text(json.dumps({"development": watched, "collections": _pinned(tmp_path)}))
    return path


def _pinned(root: Path) -> dict[str, object]:
    files = ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv")
    return {
        name: {
            "source": "example.org", "licence": "MIT", "splits": ["train"], "titles": name == "life",
            "files": {file: sha256_file(root / name / file) for file in files},
        }
        for name in ("water", "life")
    }  # fmt: skip


def _both(path: Path, **changes: object) -> tuple[list[TrainingList], list[TrainingList]]:
    settings = read_settings(MixSettings, path)
    return mixes.mixed_lists(settings.model_copy(update=changes), path.parent)


def _lists(path: Path, **changes: object) -> list[TrainingList]:
    return _both(path, **changes)[0]


def test_lists_hold_texts_and_judgements_of_all_collections(mix: Path) -> None:
    first, town, fish, *titles = _lists(mix)
    assert [one.source for one in (first, town, fish)] == ["water", "water", "life"]
    assert first.query == "Where does the river rise?"
    assert f"Fish of a cold river {_FISH}" in first.documents
    assert sorted(first.documents) == sorted({*first.documents})
    assert not any("they say" in text for text in first.documents)
    ranks = dict(zip(first.documents, first.ranks, strict=True))
    assert (ranks[f"River {_RIVER}"], ranks[_LAKE], ranks[f"Fish of a cold river {_FISH}"]) == (1, 2, 3)
    assert {first.documents[place] for place in first.labelled} == {f"River {_RIVER}", _LAKE}
    assert town.query == "a town in the hills"
    assert [one.source for one in titles] == ["life-titles"]
    assert titles[0].documents[titles[0].labelled[0]] == _FISH


def test_a_list_is_cut_to_documents_and_characters(mix: Path) -> None:
    whole, cut = _lists(mix)[0], _lists(mix, documents=3, characters=14)[0]
    assert len(cut.documents) == 3 < len(whole.documents)
    assert len(cut.labelled) == 2
    assert set(cut.documents) <= {text[:14].rsplit(" ", 1)[0] for text in whole.documents}


def test_development_lists_are_the_first_candidates_with_the_texts_of_all(mix: Path) -> None:
    """Everything that is judged for their questions counts, copies of positives included."""
    (found,) = _both(mix)[1]
    assert (found.query, found.source) == ("Who left the river?", "held")
    assert {_LAKE, f"{_RIVER} they say", "words of a river"} <= {*found.documents}
    ranks = dict(zip(found.documents, found.ranks, strict=True))
    assert (ranks["words of a river"], ranks[_LAKE], ranks["no river"]) == (1, 2, 3)
    cut = _both(mix, documents=2)[1]
    assert [one.documents for one in cut] == [found.documents[:2]] * len(cut)


def test_of_each_source_every_sixth_list_is_held_out() -> None:
    lists = [TrainingList(f"q{n}", ("a", "b"), (1, 2), "ab"[n % 2]) for n in range(40)]
    training, development = mixes._held_out(lists, 2)
    assert [one.query for one in development] == ["q10", "q11", "q22", "q23"]
    assert [one for one in lists if one not in development] == training
    assert mixes._held_out(lists, 0) == (lists, [])


def test_few_lists_of_an_easy_collection_have_the_positive_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "_FEWEST_AT_RANK_1", 2)
    lists = {
        str(n): TrainingList(f"q{n}", ("a", "b"), (1, 2) if n % 2 else (2, 1), "easy", (0 if n % 2 else 1,))
        for n in range(60)
    }
    settings = MixSettings.model_validate(
        {"collections": {"a": {"source": "", "licence": "", "splits": ["train"], "files": {"a": "b"}}}}
    )
    for most, hard, easy in ((100, 30, 6), (12, 10, 2), (6, 5, 2)):
        drawn = mixes._drawn(lists, settings.model_copy(update={"lists": most}), 5)
        assert [sum(one.labelled == (place,) for one in drawn) for place in (1, 0)] == [hard, easy]
        assert drawn == mixes._drawn(lists, settings.model_copy(update={"lists": most}), 5)
    assert len(mixes._drawn(lists, settings.model_copy(update={"lists": 12}), None)) == 12


def test_the_command_writes_the_lists_of_pinned_files_alone(mix: Path) -> None:
    arguments = ["training-lists", str(mix), str(mix.parent / "out.jsonl"), "--cache", str(mix.parent)]
    found = CliRunner().invoke(commands.app, arguments, catch_exceptions=False)
    assert "out.jsonl: 2 lists of water, 1 lists of life, 1 lists of life-titles\n" in found.output
    assert found.output.endswith("out-development.jsonl: 1 lists of held\n")
    names = ("out.jsonl", "out-development.jsonl")
    assert tuple(read_lists(mix.parent / name) for name in names) == _both(mix)
    (mix.parent / "life" / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n2\tf\t1\n")
    with pytest.raises(InputError, match=r"life/qrels/train.tsv: SHA-256 .* is not the pinned one"):
        _lists(mix)
    (mix.parent / "water").rename(mix.parent / "elsewhere")
    with pytest.raises(UnavailableError, match=r"water: convert example.org to BEIR layout"):
        _lists(mix)


def test_the_mix_that_ships_names_origin_and_licence_of_every_collection() -> None:
    path = Path(__file__).parents[2] / "config" / "training-lists" / "mix.yaml"
    for one in read_settings(MixSettings, path).collections.values():
        assert " at " in one.source
        assert any(name in one.licence for name in ("CC BY", "MIT"))
        assert {"corpus.jsonl.gz", "queries.jsonl"} <= one.files.keys()
        assert all(len(digest) == 64 for digest in one.files.values())
