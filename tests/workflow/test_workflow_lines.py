"""One line per job (command, counts, duration); a failed job's error and log are shown."""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from workflow_project import ROOT


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "workflow" / "plugins")
    import snakemake_logger_plugin_lines  # type: ignore[import-not-found]

    return snakemake_logger_plugin_lines


def _record(event: LogEvent | None, level: int = logging.INFO, message: str = "", **values: Any) -> Any:
    record = logging.LogRecord("snakemake", level, "", 1, message, (), None)
    record.__dict__ |= {"event": event} | values
    return record


def test_a_log_becomes_a_line_per_job(
    lines: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, failed = tmp_path / "done.log", tmp_path / "failed.log"
    done.write_text("loading: 0%\rloading: 100%\n│ 50 + 100 queries │\n└──────┘\n")
    failed.write_text("".join(f"line {n}\n" for n in range(30)) + "error: mine.jsonl:3: no id\n")
    command = "e2rank-eval rerank e2rank lee pydoc --first-stage bm25 --config d.yaml 2>&1 | tee x"
    handler = lines.LogHandler(None, None)
    job = {"rule_name": "rerank-bm25+e2rank", "shellcmd": command}
    for record in (
        _record(None, message="Building DAG of jobs..."),
        _record(LogEvent.RUN_INFO, stats={"rerank": 1, "site": 1, "all": 1, "total": 3}),
        _record(LogEvent.JOB_INFO, jobid=4, log=[str(done)], **job),
        _record(LogEvent.JOB_INFO, jobid=5, log=[str(failed)], **job),
        _record(LogEvent.JOB_FINISHED, job_id=4),
        _record(LogEvent.JOB_ERROR, logging.ERROR, jobid=5, log=[str(failed)], **job),
        _record(LogEvent.JOB_INFO, jobid=0, log=[], rule_name="all", shellcmd=None),
        _record(LogEvent.JOB_FINISHED, job_id=0),
        _record(None, logging.ERROR, message="error: mine.yaml: unknown model"),
    ):
        handler.emit(record)
    handler.close()
    shown = capsys.readouterr().err.splitlines()
    assert shown[0].endswith(" s  rerank e2rank lee pydoc --first-stage bm25: 50 + 100 queries")
    assert shown[0].startswith("1/3 ")
    assert shown[1].startswith("FAILED after ")
    assert shown[2:22] == [f"line {n}" for n in range(11, 30)] + ["error: mine.jsonl:3: no id"]
    assert str(failed) in shown[22]
    assert command in shown[22]
    assert shown[23].startswith("2/3 ")
    assert shown[24:] == ["error: mine.yaml: unknown model"]
