"""Runs and judgements: what is written reads back; each bad line is refused by name and number."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import counts

from e2rank_eval.errors import InputError
from e2rank_eval.store.trec import decode_id, encode_id, read_qrels, read_run, write_qrels, write_run

identifiers = st.text(min_size=1, max_size=12).filter(
    lambda s: not any(0xD800 <= ord(c) <= 0xDFFF for c in s)
)


@given(identifiers)
def test_an_id_survives_encoding_and_holds_no_white_space(identifier: str) -> None:
    encoded = encode_id(identifier)
    assert len(encoded.split()) == 1
    assert decode_id(encoded) == identifier


def test_a_written_run_reads_back_in_order_and_never_ties(tmp_path: Path) -> None:
    path = tmp_path / "a.run"
    write_run(path, [("q 1", ["d2", "d 1", "d3"]), ("q2", ["d1"])], tag="system")
    assert [line.split()[3:] for line in path.read_text().splitlines()] == [
        ["1", "3", "system"], ["2", "2", "system"], ["3", "1", "system"], ["1", "1", "system"],
    ]  # fmt: skip
    run = read_run(path)
    assert all(len(set(ranking.values())) == len(ranking) for ranking in run.scores.values())
    assert sorted(run.scores["q 1"], key=run.scores["q 1"].__getitem__, reverse=True) == ["d2", "d 1", "d3"]
    assert list(run.scores) == ["q 1", "q2"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1 Q0 d1 1 2.0", "5 columns"),
        ("q1 Q0 d1 1 high tag", "is not a finite number"),
        ("q1 Q0 d1 1 1_0 tag", "is not a finite number"),
        ("q1 Q0 d1 1 ٣ tag", "is not a finite number"),
        ("q1 Q0 d1 1 nan tag", "is not a finite number"),
        ("q1 Q0 d0 2 1.0 tag", "appears twice"),
    ],
)
def test_a_bad_run_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "bad.run"
    path.write_text(f"q1 Q0 d0 1 3.0 tag\n{line}\n")
    with pytest.raises(InputError, match=problem) as caught:
        read_run(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_ties_of_a_foreign_run_are_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "tied.run"
    path.write_text("q1 Q0 d1 1 3.0 t\nq1 Q0 d2 2 3.0 t\nq1 Q0 d3 3 1.0 t\n")
    assert read_run(path).scores == {"q1": {"d1": 3.0, "d2": 3.0, "d3": 1.0}}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1 0 d2 high", "is not an integer"),
        ("q1 0 d2 1_0", "is not an integer"),
        ("q1 0 d2 ٣", "is not an integer"),
        ("q1 0 d2 1.5", "is not an integer"),
        ("q1 0 d1 2", "two grades, 1 and 2"),
        ("q1 0 d2 100001", "grade 100001 in column 4 exceeds 100,000"),
        ("q1 0 d2 1000000000000", "exceeds 100,000; write the relevance there"),
        ("q1 0 d2", "3 columns"),
    ],
)
def test_a_bad_judgement_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text(f"q1 0 d1 1\n{line}\n")
    with pytest.raises(InputError, match=problem) as caught:
        read_qrels(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_both_forms_of_judgements_read_the_same_plain_or_gzipped(tmp_path: Path) -> None:
    qrels = {"q1": {"d1": 2, "d 2": 0}, "q2": {"d1": 1}}
    beir = tmp_path / "qrels.tsv"
    write_qrels(beir, qrels)
    trec = tmp_path / "qrels.txt.gz"
    with gzip.open(trec, "wt") as handle:
        handle.write("q1 0 d1 2\nq1 0 d%202 0\nq2 0 d1 1\n")
    assert read_qrels(beir) == qrels == read_qrels(trec)


@pytest.mark.parametrize(
    ("read", "content", "problem"),
    [
        (
            read_qrels,
            "query,doc,label\nq1,d1,1\n",
            "1 columns instead of 3 or 4; columns are separated by commas",
        ),
        (
            read_qrels,
            "topic iteration doc rel\nq1 0 d1 1\n",
            "'topic iteration doc rel' looks like a header; remove",
        ),
        (read_qrels, '"q1" 0 "d1" 1\n', "the fields are quoted"),
        (read_qrels, "q1 d1\n", "2 columns instead of 3 or 4"),
        (read_qrels, "# a comment only\n", "no judgement in the file"),
        (
            read_run,
            "qid Q0 docno rank score tag\nq1 Q0 d1 1 2.0 t\n",
            "looks like a header; remove this line",
        ),
        (read_qrels, "q1 Q0 d1 1 2.0 t\n", "this is a run, give judgements: query iteration document grade"),
        (read_run, "q1 0 d1 1\n", "these are judgements, give a run: query Q0"),
        (read_run, "query-id\tcorpus-id\tscore\nq1\td1\t1\n", "give a run, if these are judgements"),
        (read_run, "q1,Q0,d1,1,2.0,t\n", "1 columns instead of 3 or 6; columns are separated by commas"),
    ],
)
def test_another_form_of_file_is_recognised(
    tmp_path: Path, read: Callable[[Path], object], content: str, problem: str
) -> None:
    path = tmp_path / "given.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=problem):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        "q1 0 d1 1\nq1 0 d1 1.0\n\nq1\t0\td2\t0\n",
        "# judgements of one topic\nq1 0 d1 1\nq1 0 d1 1\nq1 0 d2 0\n",
        '"query-id"\t"corpus-id"\t"score"\nq1\td1\t1\nq1\td1\t1\nq1\td2\t0\n',
        "query-id corpus-id score\nq1 d1 1\nq1 d1 1\nq1 d2 0\n",
    ],
)
def test_a_repeated_judgement_counts_once(tmp_path: Path, content: str) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text(content)
    found = read_qrels(path)
    assert (found, found.repeated) == ({"q1": {"d1": 1, "d2": 0}}, 1)


def test_a_run_of_ms_marco_has_the_ranks_for_scores(tmp_path: Path) -> None:
    path = tmp_path / "msmarco.tsv"
    path.write_text("7\t30\t1\n7\t20\t2\n8\t30\t1\n")
    assert read_run(path).scores == {"7": {"30": -1.0, "20": -2.0}, "8": {"30": -1.0}}


@pytest.mark.parametrize("lines", ["7\t30\t0.9\n7\t20\t0.8\n", "7\t30\t1\n7\t20\t1\n"])
def test_scores_or_grades_in_three_columns_are_not_read_as_ranks(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "run.tsv"
    path.write_text(lines)
    with pytest.raises(InputError, match="the last of three columns is the rank"):
        read_run(path)


def test_only_ascii_white_space_separates_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.run"
    path.write_text("q\u00a01 Q0 d\u00851 1 2.0 t\n#d Q0 d2 1 2.0 t\n", encoding="utf-8")
    assert read_run(path).scores == {"q\u00a01": {"d\u00851": 2.0}, "#d": {"d2": 2.0}}


def test_foreign_ids_are_kept_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq 1\ta%20b\t1\nq 1\ta b\t2\n")
    assert read_qrels(path, decode=False) == {"q 1": {"a%20b": 1, "a b": 2}}


def zstd(content: bytes) -> bytes:
    compressed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return compressed


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd, bytes])
def test_compression_is_read_by_content_and_a_cut_off_file_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    lines = [f"q1 0 d{i}-{i * i} 1\n" for i in range(2000)]
    whole = compress("".join(lines).encode())
    for name in ("qrels", "qrels.gz"):
        (tmp_path / name).write_bytes(whole)
        assert len(read_qrels(tmp_path / name)["q1"]) == 2000
    if compress is not bytes:
        (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match="cut: truncated or corrupt"):
            read_qrels(tmp_path / "cut")


def test_the_percent_signs_of_foreign_ids_stay(shared_data: Path, tmp_path: Path) -> None:
    """BRIGHT's ids contain some: foreign judgements must match a run written by this suite."""
    path = shared_data / "trec" / "qrels" / "qrels.bright-earth-science.txt"
    judged = {line.split()[2] for line in path.read_text(encoding="utf-8").splitlines()}
    percent = {identifier for identifier in judged if "%" in identifier}
    assert len(percent) > 5
    read = {document for grades in read_qrels(path).values() for document in grades}
    assert read == judged
    write_run(tmp_path / "ours.run", [("q", sorted(judged))], tag="ours")
    assert set(read_run(tmp_path / "ours.run").scores["q"]) == judged


@pytest.mark.parametrize("number", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_mutated_file_scores_as_trec_eval_has_it_or_is_refused(number: int) -> None:
    found = counts(number)
    assert set(found) == {"equal", "refused"}
    assert min(found.values()) > number / 10
