"""Listwise and pairwise strategies against rank_llm's and llm4ranking's: equal rankings, calls, seconds.

Usage: pip install --no-deps --target peers rank-llm ftfy wcwidth dacite
       pip install --no-deps --target peers llm4ranking        (where your index has it)
       PYTHONPATH=peers python benchmarks/listwise_peers.py [--queries 4] [--candidates 30] [--tokens 24]
       [--window 10] [--step 5] [--rounds 1] [--threads 2] [--cache cache]

First, every shared strategy is run on lists of 2 to 100 documents with simulated judges: consistent ones
(the larger key wins), and an arbitrary one (a fixed random order for each window), under which rankings agree
only if all windows do. Then SmolLM2-135M ranks docstrings, with the same prompts on both sides.

What differs, and why:

* rank_llm takes every number of an answer as an identifier, even in prose; here numbers in brackets take
  precedence over bare ones. The last line removes this difference: rank_llm's windows, this suite's parsing.
* Without overlap, a last window of one document costs the peers a call, and none here.
* A pair that recurs in a later pass is judged once here, and again by llm4ranking.
* rank_llm's pairwise order uses all n (n - 1) / 2 pairs, PRP-sliding's only passes: with a consistent judge
  the top is the same, and below it PRP keeps the first-stage order.
* llm4ranking's heap compares a node with its two children one by one, setwise all three at once: fewer calls,
  and the same top with a consistent judge. Below the top llm4ranking keeps the heap's order, this suite the
  first-stage order.
* Neither peer has top-down partitioning; the full list is a window as long as the list.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from support import peers
from support.judges import Counted, Order, as_answer, better, by_pairs, judges, written
from support.options import options
from support.texts import candidate_list, docstrings
from support.turns import medians

from e2rank_eval.models.language_models import Generation
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Query, Ranking
from e2rank_eval.rerankers.families.listwise import Generated, ListwiseReranker, ListwiseSettings
from e2rank_eval.rerankers.parsing import parse_permutation
from e2rank_eval.rerankers.prompts import rankgpt_messages
from e2rank_eval.rerankers.strategies import Bubble, Setwise, SlidingWindow, Strategy, run_strategy

MODEL = "smollm2-135m-instruct-q4"
QUERIES = [
    "how to wait for several tasks at once",
    "parse the headers of an email message",
    "write a log record to a file",
    "the number of elements in a container",
    "close a connection to a server",
    "run a test and skip it on failure",
]
COUNTS = (2, 3, 9, 20, 21, 25, 47, 100)
WINDOWS = ((20, 10), (10, 5), (4, 3), (5, 5), (100, 10))
TOP = 10


def ours(strategy: Strategy, count: int, order: Order) -> tuple[list[int], int]:
    judge = Counted(lambda window: order(list(window)))
    return list(run_strategy(strategy, count, judge)), judge.calls


class Tally:
    """Equal rankings and calls of one strategy, over all lists and judges."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}

    def add(
        self, name: str, mine: Sequence[int], calls: int, theirs: Sequence[int], their_calls: int
    ) -> None:
        row = self.rows.setdefault(name, [0, 0, 0, 0])
        for place, value in enumerate((list(mine) == list(theirs), 1, calls, their_calls)):
            row[place] += value

    def show(self) -> None:
        for name, (equal, lists, calls, their_calls) in self.rows.items():
            print(f"  {name:58} equal {equal:4} of {lists:4}; calls here {calls:6}, there {their_calls:6}")


def without_a_model(tally: Tally) -> None:
    for count in COUNTS:
        for judge in judges(count):
            for size, step in WINDOWS:
                mine, calls = ours(SlidingWindow(size, step), count, judge)
                for name, run in sliding_peers().items():
                    asked = Counted(judge)
                    tally.add(
                        f"sliding windows, {name}", mine, calls, run(count, asked, size, step), asked.calls
                    )
        for judge in judges(count)[:3]:
            pairwise(tally, count, judge, consistent=True)
        pairwise(tally, count, judges(count)[3], consistent=False)


def sliding_peers() -> dict[str, Callable[[int, Order, int, int], list[int]]]:
    found: dict[str, Callable[[int, Order, int, int], list[int]]] = {}
    if peers.is_installed("rank_llm"):
        found["rank_llm"] = lambda n, order, size, step: peers.rank_llm_sliding(
            n, 1, as_answer(order), size, step
        )[0]
    if peers.is_installed("llm4ranking"):

        def places(order: Order) -> Order:
            return lambda window: [window.index(position) for position in order(window)]

        found["llm4ranking"] = lambda n, order, size, step: peers.llm4ranking_sliding(
            n, places(order), size, step
        )
    return found


def pairwise(tally: Tally, count: int, judge: Order, *, consistent: bool) -> None:
    """Compare whole rankings of bubble passes; of other algorithms only tops, under a consistent judge."""
    top = min(TOP, count)
    order = by_pairs(judge)
    asked: dict[tuple[int, ...], list[int]] = {}
    mine, _ = ours(Bubble(TOP), count, lambda pair: asked.setdefault(tuple(pair), order(pair)))
    if peers.is_installed("llm4ranking"):
        is_better = Counted(better(judge))
        theirs = peers.llm4ranking_bubble(count, is_better, TOP)
        tally.add("bubble passes, llm4ranking", mine, len(asked), theirs, is_better.calls)
    if not consistent:
        return
    if peers.is_installed("rank_llm"):
        is_better = Counted(better(judge))
        theirs = peers.rank_llm_all_pairs(count, is_better)
        tally.add(
            f"bubble passes, top {TOP} of rank_llm's all pairs",
            mine[:top],
            len(asked),
            theirs[:top],
            is_better.calls,
        )
    if peers.is_installed("llm4ranking"):
        is_better = Counted(better(judge))
        theirs = peers.llm4ranking_heap(count, is_better, TOP)
        heap, calls = ours(Setwise(3, TOP), count, judge)
        tally.add(
            f"setwise of 3, top {TOP} of llm4ranking's heap", heap[:top], calls, theirs[:top], is_better.calls
        )


class Side:
    """Run the peer on the same queries, texts, prompts and model."""

    def __init__(self, model: Any, queries: Sequence[Query], texts: Sequence[Sequence[str]]) -> None:
        self.model, self.queries, self.texts = model, queries, texts
        self.calls = 0

    def as_it_is(self, asked: Sequence[tuple[int, list[int]]]) -> list[str]:
        return [one.text for one in self._generations(asked)]

    def as_read_here(self, asked: Sequence[tuple[int, list[int]]]) -> list[str]:
        return [
            written(parse_permutation(one.text, len(window), finished=one.finished).order)
            for one, (_, window) in zip(self._generations(asked), asked, strict=True)
        ]

    def _generations(self, asked: Sequence[tuple[int, list[int]]]) -> list[Generation]:
        self.calls += len(asked)
        chats = [
            rankgpt_messages(self.queries[number].text, [self.texts[number][place] for place in window])
            for number, window in asked
        ]
        limit = Generated(self.model).output_limit(len(asked[0][1]))
        found: list[Generation] = self.model.generate(chats, max_new_tokens=limit)
        return found


def with_the_model(given: argparse.Namespace) -> None:
    model: Any = Models(given.cache, threads=given.threads).language_model(MODEL)
    queries = [Query(f"q{number}", text) for number, text in enumerate(QUERIES[: given.queries])]
    drawn = docstrings(len(queries) * given.candidates)
    lists = [candidate_list(query.id, drawn[number :: len(queries)]) for number, query in enumerate(queries)]
    texts = [[model.truncate(one.contents, given.tokens) for one in own.documents] for own in lists]
    settings = ListwiseSettings(
        family="listwise", model=MODEL, window=given.window, step=given.step, document_tokens=given.tokens
    )
    reranker = ListwiseReranker(model, settings)
    rankings: list[Ranking] = []
    found: dict[str, list[list[int]]] = {}
    sides = {
        name: Side(model, queries, texts) for name in ("rank_llm", "rank_llm's windows, answers read here")
    }
    answers = [side.as_it_is if name == "rank_llm" else side.as_read_here for name, side in sides.items()]

    def here() -> None:
        rankings[:] = reranker.rank_candidates(queries, lists)

    def there(name: str, answer: peers.Answer) -> Callable[[], None]:
        def run() -> None:
            sides[name].calls = 0
            found[name] = peers.rank_llm_sliding(
                given.candidates, len(queries), answer, given.window, given.step
            )

        return run

    works = {"this suite": here}
    if peers.is_installed("rank_llm"):
        works |= {name: there(name, answer) for name, answer in zip(sides, answers, strict=True)}
    model.generate([rankgpt_messages("warm up", ["one", "two"])], max_new_tokens=2)
    seconds = medians(works, given.rounds)
    print(
        f"{MODEL}, {len(queries)} queries, {given.candidates} candidates of {given.tokens} tokens, window "
        f"{given.window}, step {given.step}, {given.threads} threads, medians of {given.rounds} rounds:"
    )
    calls = {name: side.calls for name, side in sides.items()}
    show(rankings, found, seconds, calls)


def show(
    rankings: Sequence[Ranking],
    found: dict[str, list[list[int]]],
    seconds: dict[str, float],
    calls: dict[str, int],
) -> None:
    repaired = sum(bool(one.stats.repairs) for one in rankings)
    asked = sum(one.stats.calls for one in rankings)
    own = seconds["this suite"]
    print(f"  {'this suite':58} {own:7.2f} s, {asked} calls; answers of {repaired} queries repaired")
    for name, theirs in found.items():
        equal = sum(list(one.order) == other for one, other in zip(rankings, theirs, strict=True))
        print(
            f"  {name:58} {seconds[name]:7.2f} s, {calls[name]} calls; equal rankings {equal} of "
            f"{len(rankings)}; {seconds[name] / own:.2f} times this suite's time"
        )


def main() -> None:
    parser = options(__doc__, candidates=30, tokens=24, window=10, step=5, rounds=1)
    parser.add_argument("--queries", type=int, default=4, choices=range(1, len(QUERIES) + 1))
    given = parser.parse_args()
    absent = [package for package in ("rank_llm", "llm4ranking") if not peers.is_installed(package)]
    for package in absent:
        print(f"skipped: {package} is not installed; the usage in --help says how")
    if len(absent) == 2:
        return
    tally = Tally()
    print("simulated judges:")
    without_a_model(tally)
    tally.show()
    with_the_model(given)


if __name__ == "__main__":
    main()
