"""The path of every stored file below ``results/<profile>/``, for both the Snakefile and the commands."""

from __future__ import annotations

from pathlib import Path

CORPUS = "datasets/{dataset}/corpus.jsonl.gz"
QUERIES = "datasets/{dataset}/queries.jsonl"
QRELS = "datasets/{dataset}/qrels.tsv"
EXCLUSIONS = "datasets/{dataset}/exclusions.jsonl"
DATASET_MANIFEST = "datasets/{dataset}/manifest.json"
MODEL = "models/{model}.json"
VERIFIED = "models/{model}.verified.json"
CANDIDATES = "candidates/{dataset}/{first_stage}.jsonl"
ENCODE_PART = "parts/{dataset}/{first_stage}/encode-{part}-of-{parts}.json"
RERANK_PART = "parts/{dataset}/{first_stage}/{reranker}/{part}-of-{parts}.json"
RUN = "runs/{dataset}/{first_stage}/{reranker}.run"
STATISTICS = "statistics/{dataset}/{first_stage}/{reranker}.jsonl"
METRICS = "metrics/{dataset}/{first_stage}/{reranker}.json"
PUBLISHED_RUN = "published_runs/{run}.json"
LATENCY = "latency/{latency}.json"
MTEB = "mteb"
MTEB_RECORD = "mteb/records/{entry}/{system}.json"
COMPARISON = "comparisons/{comparison}.json"
TABLE = "tables/{table}.{suffix}"
FIGURE = "figures/{figure}.{suffix}"
SITE = "site/index.html"
LOCAL_SITE = "site-local-only/index.html"
CONFIG = "config.yaml"


class Layout:
    """Resolves the patterns above under one results folder.

    >>> Layout(Path("results/demo")).path(RUN, dataset="lee", first_stage="bm25", reranker="e2rank")
    PosixPath('results/demo/runs/lee/bm25/e2rank.run')
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, pattern: str, **names: str) -> Path:
        return self.root / pattern.format(**names)

    def run_path(self, pattern: str, run: tuple[str, str, str]) -> Path:
        """Return the path of a file of ``run``, a (data set, first stage, reranker)."""
        dataset, first_stage, reranker = run
        return self.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)
