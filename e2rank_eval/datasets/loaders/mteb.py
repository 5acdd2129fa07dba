"""Loader of any retrieval or reranking task of mteb, at the revision that mteb pins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from e2rank_eval.datasets.loaders import LOADERS, Loaded, Request, judged
from e2rank_eval.datasets.sources.fetch import offline
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Document
from e2rank_eval.store.corpus import StreamedCorpus


def load(name: str, task: str, *, subset: str = "default") -> Loaded:
    """Load the first evaluation split of ``task``; the library datasets stores its rows on disk.

    Raises
    ------
    InputError
        As :func:`find_task`; or when the task has no such subset (the language of a multilingual task).
    UnavailableError
        When the files are not available from the hub.
    """
    found = find_task(task)
    subsets = found.hf_subsets if found.metadata.is_multilingual else ["default"]
    if subset not in subsets:
        raise InputError(f"mteb's {task} has no subset {subset!r}", hint=f"subsets: {', '.join(subsets)}")
    if offline():
        raise UnavailableError(f"mteb's {task} is read from the hub, and E2RANK_OFFLINE is set; unset it")
    try:
        found.load_data()
    except (OSError, ValueError) as error:
        raise UnavailableError(f"mteb cannot read {task}: {error}") from error
    split = found.dataset[subset][found.metadata.eval_splits[0]]
    corpus = StreamedCorpus(partial(_documents, split["corpus"]), task, hint="fetch it again")
    queries = {str(row["id"]): row["text"] for row in split["queries"]}
    same = {q: {q} for q in queries if found.ignore_identical_ids and q in corpus}
    return judged(name, corpus, queries, split["relevant_docs"], same)


def find_task(task: str) -> Any:
    """Return a retrieval or reranking task of mteb by its name, without its data.

    Raises
    ------
    InputError
        When mteb has no such task, or the task has another type, is not of texts alone, or needs code of its
        data set's repository.
    """
    import mteb
    from mteb.abstasks import AbsTaskRetrieval

    try:
        found: Any = mteb.get_task(task)
    except KeyError as error:
        raise InputError(f"mteb has no task {task!r}", hint=" ".join(str(error.args[0]).split())) from error
    facts = found.metadata
    if not isinstance(found, AbsTaskRetrieval) or facts.dataset.get("trust_remote_code"):
        problem = f"is of type {facts.type}, or its data set needs code of its own"
        raise InputError(f"mteb's {task} {problem}", hint="choose a retrieval or reranking task")
    if facts.modalities != ["text"]:
        raise InputError(f"mteb's {task} holds {', '.join(facts.modalities)}", hint="choose a task of texts")
    return found


def _documents(rows: Any) -> Iterator[tuple[None, Document]]:
    for row in rows:
        yield None, Document(str(row["id"]), row["text"] or "", row.get("title") or "")


def _requested(request: Request) -> Loaded:
    options = dict(request.options)
    return load(request.name, options.pop("task"), **options)


LOADERS.add("mteb", _requested)
