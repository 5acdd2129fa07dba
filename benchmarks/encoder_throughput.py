"""Documents encoded per second: this suite's engine against SentenceTransformer.encode, side by side.

Usage: python benchmarks/encoder_throughput.py [--rounds 5] [--documents 300] [--threads 2] [--cache cache]

The model is all-MiniLM-L6-v2; the texts are docstrings of the standard library, 1 to several hundred words.
The engines take turns within a round, so that other load affects both alike. Printed are medians over rounds,
their ratio (above 1: this suite is faster), and the cosine of their vectors.
"""

from __future__ import annotations

import numpy as np
from support.options import options
from support.texts import docstrings
from support.turns import medians

from e2rank_eval.models.loading import Models

MODEL = "all-minilm-l6-v2"


def main() -> None:
    arguments = options(__doc__, rounds=5, documents=300).parse_args()
    from sentence_transformers import SentenceTransformer

    texts = docstrings(arguments.documents)
    models = Models(arguments.cache, threads=arguments.threads, vector_cache=False)
    ours = models.encoder(MODEL)
    peer = SentenceTransformer(str(models.catalogue.examine(MODEL).path), device="cpu")
    for what, size in (("a corpus", len(texts)), ("the candidates of one query", 100), ("few documents", 20)):
        some = texts[:size]
        theirs = peer.encode(some, normalize_embeddings=True)
        cosine = float((ours.encode(some, "document").vectors * theirs).sum(axis=1).min())
        works = {
            "ours": lambda some=some: ours.encode(some, "document"),
            "peer": lambda some=some: peer.encode(some, normalize_embeddings=True),
        }
        own, other = medians(works, arguments.rounds, warm_up=1).values()
        tokens = np.mean(ours.encode(some, "document").tokens)
        print(
            f"{what} ({size} documents, {tokens:.0f} tokens on average): ours {size / own:.1f}/s, "
            f"SentenceTransformer {size / other:.1f}/s, ratio of medians {other / own:.2f}, "
            f"least cosine {cosine:.7f}"
        )


if __name__ == "__main__":
    main()
