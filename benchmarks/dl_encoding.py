"""The effect of wrongly decoded characters in MS MARCO's passages on reranking TREC DL.

In the distributed collection some non-ASCII characters are broken: each byte of their UTF-8 appears as a
character. BM25's top 100 in the folders dl19-rerank and dl20-rerank of $E2RANK_DATA are reranked with three
texts: as in the folder, as repaired by ir_datasets, and, as the worst case, with every such character broken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ir_datasets.datasets.msmarco_passage import FixEncoding
from support.options import options

import e2rank_eval as e2
from e2rank_eval.store.corpus import selected

DATASETS = ("dl19-rerank", "dl20-rerank")
SYSTEMS = {
    "query only": {"family": "e2rank", "prompt": "query-only"},
    "Rocchio, 3 documents": {"family": "feedback", "documents": 3, "weight": 0.5},
    "E2Rank residual, 3 documents": {"family": "e2rank", "prompt_documents": 3, "combination": "residual"},
}


class Lines:
    """Texts in the form in which the library's repair takes a collection: bytes, one line each."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts

    @contextmanager
    def stream(self) -> Iterator[Iterator[bytes]]:
        yield (f"{text}\n".encode() for text in self._texts)


def repaired(texts: Iterable[str]) -> list[str]:
    return [line.decode().removesuffix("\n") for line in FixEncoding(Lines(texts))]


def broken(text: str) -> str:
    return text.encode().decode("latin-1")


def main() -> None:
    given = options(__doc__, threads=1).parse_args()
    if "E2RANK_DATA" not in os.environ:
        print(f"skipped: E2RANK_DATA names no folder with {' and '.join(DATASETS)}")
        return
    models = {"cache": given.cache, "threads": given.threads}
    rerankers = {name: e2.load_reranker("all-minilm-l6-v2", **models, **one) for name, one in SYSTEMS.items()}
    for name in DATASETS:
        folder = Path(os.environ["E2RANK_DATA"]) / name
        dataset, run = e2.load_dataset(folder), e2.read_run(folder / "runs/bm25-top100.trec")
        listed = {document for scores in run.scores.values() for document in scores}
        found = selected(dataset.corpus, listed)
        theirs = [found[identifier].text for identifier in listed]
        texts = {"as it is": theirs, "repaired": repaired(theirs), "broken": [*map(broken, theirs)]}
        undone = sum(a != b for a, b in zip(repaired(texts["broken"]), theirs, strict=True))
        print(
            f"{name}: of {len(listed)} passages the repair leaves {undone} of the broken text unlike theirs"
        )
        for what, changed in texts.items():
            pairs = zip(listed, changed, strict=True)
            read = replace(dataset, corpus={i: replace(found[i], text=text) for i, text in pairs})
            count = sum(a != b for a, b in zip(changed, theirs, strict=True))
            for system, reranker in rerankers.items():
                reranked = e2.rerank(run, read, reranker, cache=given.cache)
                mean = e2.evaluate(reranked, dataset, "nDCG@10").mean["nDCG@10"]
                print(f"{name} {what} ({count} changed), {system}: {100 * mean:.2f}", flush=True)


if __name__ == "__main__":
    main()
