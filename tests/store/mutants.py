"""Mutated runs and judgements, scored by the suite, and by trec_eval after a plain reader."""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from pathlib import Path

import pytrec_eval

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.store.trec import read_qrels, read_run

_FIELDS = (
    "",
    "0",
    "-1",
    "1.0",
    "0.5",
    "1e3",
    "nan",
    "inf",
    "x",
    "d1",
    "q1",
    "#",
    "\u00a0",
    "d\u00851",
    "9" * 12,
    "100001",
    '"1"',
)


def documents(rng: random.Random) -> tuple[str, str]:
    """Return the text of a run and of judgements that fit together, before any mutation."""
    run, qrels = [], []
    for query in range(1, rng.randint(2, 5)):
        ids = [f"d{i}" for i in rng.sample(range(12), rng.randint(2, 9))]
        run += [
            f"q{query} Q0 {d} {rank} {rng.choice((2.0, 1.5, 7, 7.25)) / rank} t"
            for rank, d in enumerate(ids, 1)
        ]
        judged = rng.sample(range(12), rng.randint(1, 6))
        qrels += [f"q{query} 0 d{i} {rng.choice((0, 1, 1, 2, 3, -1))}" for i in judged]
    return "\n".join(run) + "\n", "\n".join(qrels) + "\n"


def mutated(text: str, rng: random.Random) -> str:
    """Change one line, or how all lines are written."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    fields = lines[at].split(" ")
    match rng.randrange(9):
        case 0:
            fields[rng.randrange(len(fields))] = rng.choice(_FIELDS)
            lines[at] = " ".join(fields)
        case 1:
            del fields[rng.randrange(len(fields))]
            lines[at] = " ".join(fields)
        case 2:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        case 3:
            lines.insert(
                rng.randrange(len(lines) + 1),
                rng.choice(("", "# a comment", "  ", "query-id\tcorpus-id\tscore")),
            )
        case 4:
            lines[at] = lines[at].replace(" ", rng.choice(("\t", "  ", ",", "\u00a0")))
        case 5:
            lines = [line.replace(" ", rng.choice(("\t", "  "))) for line in lines]
        case 6:
            del lines[at]
        case 7:
            lines[at] += rng.choice((" extra", " ", "\t", "\r"))
        case _:
            rng.shuffle(lines)
    return "\n".join(lines) + rng.choice(("", "\n"))


def understood(text: str, columns: tuple[int, int, int]) -> dict[str, dict[str, float]]:
    """Read what a plain reader understands: the last of ``columns`` is the number."""
    found: dict[str, dict[str, float]] = {}
    for line in text.split("\n"):
        fields = [field for field in re.split(r"[ \t\r]+", line) if field]
        if fields and not (fields[0].startswith("#") and len(fields) < 4):
            query, document, number = (fields[column] for column in columns)
            found.setdefault(query, {})[document] = float(number)
    return found


def outcome(run: str, qrels: str, folder: Path) -> str:
    """Return ``equal``, ``refused`` or what differs."""
    paths = [folder / "a.run", folder / "qrels.txt"]
    for path, text in zip(paths, (run, qrels), strict=True):
        path.write_text(text, encoding="utf-8", newline="")
    try:
        ours = evaluate(read_run(paths[0]), read_qrels(paths[1]), ["nDCG@10"]).per_query["nDCG@10"]
    except InputError as error:
        return (
            "refused"
            if error.line is not None or "the run is empty" in str(error) or "no judgement" in str(error)
            else f"no line: {error}"
        )
    grades = {
        q: {d: int(g) for d, g in judged.items()} for q, judged in understood(qrels, (0, -2, -1)).items()
    }
    scores = understood(run, (0, 2, 4))
    theirs = pytrec_eval.RelevanceEvaluator(grades, {"ndcg_cut_10"}).evaluate(scores)
    for query, value in ours.items():
        expected = theirs.get(query, {}).get("ndcg_cut_10", 0.0)
        if abs(value - expected) > 1e-9:
            return f"{query}: {value} instead of {expected}"
    return "equal"


def counts(number: int, seed: int = 13) -> Counter[str]:
    """Return how many of ``number`` mutants had each outcome."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(number):
            run, qrels = documents(rng)
            if rng.random() < 0.5:
                run = mutated(run, rng)
            else:
                qrels = mutated(qrels, rng)
            found[outcome(run, qrels, Path(folder))] += 1
    return found
