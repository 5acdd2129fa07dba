"""Settings of training lists made of several judged collections (config/training-lists/)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from e2rank_eval.config.systems import Name, Strict


class MixedCollection(Strict):
    """A judged collection in BEIR layout: the folder of its name, or ``$E2RANK_DATA/<name>``."""

    source: str = Field(description="origin of its files: repository, commit, paths")
    splits: list[str] = Field(min_length=1)
    files: dict[str, str] = Field({}, description="path in the folder -> SHA-256 that the file must have")


class TrainingCollection(MixedCollection):
    """A collection to train on."""

    licence: str = Field(description="licence of its texts")
    easy: bool = Field(
        False,
        description="BM25 mostly ranks a positive first; keep one such list for every five others",
    )
    titles: bool = Field(
        False, description="also make lists with titles as queries and their documents as positives"
    )


class DevelopmentCollection(MixedCollection):
    """A collection whose queries make development lists and no training lists."""

    every: int = Field(1, ge=1, description="make a list of the first of every so many queries")
    among_all: bool = Field(False, description="search its queries also in the texts of the whole mix")


class MixSettings(Strict):
    """A mix of collections; the queries of each are searched in the texts of all."""

    collections: dict[Name, TrainingCollection] = Field(min_length=1)
    development: dict[str, DevelopmentCollection] = Field(
        {}, description="further collections, for development lists, by data set"
    )
    left_out: dict[str, list[str]] = Field(
        {}, description="data set -> splits whose queries, and titles of relevant documents, make no list"
    )
    held_out: int = Field(
        0, ge=0, description="most development lists of each source: its sixth list, its twelfth, ..."
    )
    depth: int = Field(100, ge=2, description="BM25 candidates, which must include a positive")
    documents: int = Field(60, ge=2, description="documents of a list: its positives, then top candidates")
    characters: int = Field(2000, ge=1, description="most characters of a document, cut between words")
    lists: int = Field(2500, ge=1, description="most lists of a collection, and most lists of its titles")
    seed: int = 13


def development_path(lists: Path) -> Path:
    """Return the path of the development lists of a mix whose training lists are stored at ``lists``.

    >>> development_path(Path("cache/mix.jsonl")).as_posix()
    'cache/mix-development.jsonl'
    """
    return lists.with_stem(f"{lists.stem}-development")
