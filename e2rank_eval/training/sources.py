"""Sources of training lists: judged collections, and the docstrings of pinned packages.

Docstrings are open text that every user can fetch by pip.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from e2rank_eval.config.training_lists import (
    BlendSettings,
    DocstringSettings,
    PinnedPackage,
    read_docstring_settings,
)
from e2rank_eval.datasets.loaders import beir
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.bm25 import BM25
from e2rank_eval.training.lists import TrainingList

_SUMMARY_WORDS = range(4, 61)
_FEWEST_BODY, _MOST_BODY = 20, 250
_FEWEST_PASSAGE, _PASSAGES = 10, 6
_PASSAGE_WORDS = (20, 28, 40)
_SUMMARY_SHARE = 0.6
_CUT_QUERY = (6, 20)
_COMPARED = 300
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read_collection(source: Path, split: str) -> tuple[Dataset, BlendSettings | None]:
    """Read the collection of a folder in BEIR layout, or of a YAML file of pinned packages.

    With it comes the blended teacher that the YAML file names; None stands for the oracle teacher.

    Raises
    ------
    InputError
        For a malformed folder or file, or a package of another version.
    UnavailableError
        When a package is not installed.
    """
    if source.is_dir():
        return beir.load(beir.find(source, split), source.resolve().name)[0], None
    settings = read_docstring_settings(source)
    return docstring_collection(settings), settings.teacher


def unranked_lists(dataset: Dataset, depth: int) -> list[TrainingList]:
    """Return a list for each query with a relevant document: BM25's first ``depth``, then missing positives.

    Documents of grade 1 and above are labelled. Positives that BM25 did not find come last, so a
    prompt of the first documents is what it is in use. Where fewer than ``depth`` documents share a term with
    the query, others in corpus order follow as negatives. Queries all of whose documents are relevant are
    skipped: there is nothing to order.
    """
    found = []
    ranked = candidates(BM25(tuple(dataset.corpus.values())), dataset, depth)
    for query, own in zip(dataset.queries.values(), ranked, strict=True):
        relevant = [i for i, grade in dataset.qrels[query.id].items() if grade > 0 and i in dataset.corpus]
        first = list(own.document_ids)
        if len(first) < depth:
            excluded = {*first, *dataset.exclusions.get(query.id, ())}
            first += [i for i in dataset.corpus if i not in excluded][: depth - len(first)]
        ids = list(dict.fromkeys([*first, *relevant]))
        labelled = tuple(place for place, i in enumerate(ids) if i in set(relevant))
        if labelled and len(labelled) < len(ids):
            texts = tuple(dataset.corpus[i].contents for i in ids)
            found.append(TrainingList(query.text, texts, source=dataset.id, labelled=labelled))
    return found


def docstring_collection(settings: DocstringSettings) -> Dataset:
    """Make a collection of docstrings: their passages are relevant to the queries of the same docstring.

    Each docstring of two paragraphs or more is cut into at most 6 passages of 20, 28 or 40 words. Its
    query is its first paragraph, or (for two in five) the beginning of one passage, which is then
    excluded. Several relevant passages make the mean of their vectors worth finding.

    Raises
    ------
    InputError
        When another version of a package is installed.
    UnavailableError
        When a package is not installed, or there are too few docstrings.
    """
    draw = random.Random(settings.seed)
    found = _docstrings(settings)
    if len(found) < settings.docstrings:
        raise UnavailableError(f"{len(found)} docstrings found, {settings.docstrings} asked for")
    draw.shuffle(found)
    corpus: dict[str, Document] = {}
    queries: dict[str, Query] = {}
    relevant: dict[str, dict[str, int]] = {}
    excluded: dict[str, frozenset[str]] = {}
    for number, (summary, body) in enumerate(found[: settings.docstrings]):
        passages = _passages(body, draw.choice(_PASSAGE_WORDS))
        ids = [f"{number}-{place}" for place in range(len(passages))]
        corpus |= {i: Document(i, text) for i, text in zip(ids, passages, strict=True)}
        query = f"q{number}"
        if len(ids) < 3 or draw.random() < _SUMMARY_SHARE:
            queries[query], left = Query(query, summary), frozenset[str]()
        else:
            source = draw.choice(ids)
            words = corpus[source].text.split()[: draw.randint(*_CUT_QUERY)]
            queries[query], left = Query(query, " ".join(words)), frozenset({source})
        relevant[query] = {i: 1 for i in ids if i not in left}
        excluded[query] = left
    return Dataset("docstrings", corpus, queries, relevant, excluded)


def _docstrings(settings: DocstringSettings) -> list[tuple[str, str]]:
    """Return each summary and body once, in the order of packages and paths."""
    kept: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, pinned in settings.pinned.items():
        for path in _sources(name, pinned):
            for docstring in _docstrings_of(path):
                pair = _parts(docstring)
                keys = {pair[0].lower(), pair[1][:_COMPARED]} if pair else set()
                if pair and not keys & seen:
                    kept.append(pair)
                seen |= keys
    return kept


def _sources(name: str, pinned: PinnedPackage) -> list[Path]:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(
            f"{name} is not installed; run: pip install {name}=={pinned.version}"
        ) from error
    if distribution.version != pinned.version:
        raise InputError(
            f"{name} {distribution.version} is installed, {pinned.version} is pinned",
            hint=f"pip install {name}=={pinned.version}",
        )
    files = [path for path in distribution.files or [] if path.suffix == ".py"]
    wanted = sorted(path for path in files if not any("test" in part for part in path.parts))
    return [Path(str(path.locate())) for path in wanted]


def _docstrings_of(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return  # templates and sources of other Pythons, which packages carry as data
    nodes = [node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    for node in sorted(nodes, key=lambda one: getattr(one, "lineno", 0)):
        docstring = ast.get_docstring(node)
        if docstring:
            yield docstring


def _parts(docstring: str) -> tuple[str, str] | None:
    """Return first paragraph and rest, each on one line; None where either is too short or too long."""
    summary, *rest = re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)
    head, body = summary.split(), " ".join(rest).split()
    if len(head) not in _SUMMARY_WORDS or len(body) < _FEWEST_BODY:
        return None
    return " ".join(head), " ".join(body[:_MOST_BODY])


def _passages(body: str, words: int) -> list[str]:
    parts = body.split()
    cut = [parts[start : start + words] for start in range(0, len(parts), words)]
    return [" ".join(part) for part in cut if len(part) >= _FEWEST_PASSAGE][:_PASSAGES]
