"""Settings of training lists: a mix of collections (config/training-lists/)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from e2rank_eval.config.systems import Name, Strict


class MixedCollection(Strict):
    """A judged collection in BEIR layout: the folder of its name, or ``$E2RANK_DATA/<name>``."""

    source: str = Field(description="what it was converted from: repository, commit, paths")
    splits: list[str] = Field(min_length=1)
    files: dict[str, str] = Field({}, description="SHA-256 by path in the folder, which has to be just so")


class TrainingCollection(MixedCollection):
    """A collection to train on."""

    licence: str = Field(description="of its texts")
    easy: bool = Field(
        False,
        description="BM25 mostly finds the answer first: of such lists a fifth as many are kept as of others",
    )
    titles: bool = Field(
        False, description="more lists, whose queries are titles and whose positives their own texts"
    )


class DevelopmentCollection(MixedCollection):
    """A collection on which training is watched, and whose questions make no training list."""

    every: int = Field(1, ge=1, description="of so many queries the first makes a list")
    among_all: bool = Field(False, description="its queries are searched in the mix's texts too")


class MixSettings(Strict):
    """Collections whose lists are made together: each is searched in the texts of all."""

    collections: dict[Name, TrainingCollection] = Field(min_length=1)
    development: dict[str, DevelopmentCollection] = Field({}, description="of other kinds, by data set")
    left_out: dict[str, list[str]] = Field(
        {}, description="splits by data set whose queries, and titles of relevant documents, make no list"
    )
    held_out: int = Field(
        0, ge=0, description="most lists of each source that are for development: its sixth, twelfth, ..."
    )
    depth: int = Field(100, ge=2, description="BM25 candidates, among which a positive has to be")
    documents: int = Field(60, ge=2, description="of a list: its positives, then the first others")
    characters: int = Field(2000, ge=1, description="at which a document is cut, before a word")
    lists: int = Field(2500, ge=1, description="at most, of a collection, and of its titles")
    seed: int = 13


def development_path(lists: Path) -> Path:
    """Return where the development lists of a mix go whose training lists are at ``lists``.

    >>> development_path(Path("cache/mix.jsonl")).as_posix()
    'cache/mix-development.jsonl'
    """
    return lists.with_stem(f"{lists.stem}-development")
