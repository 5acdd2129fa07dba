"""Captions of the workflow's report render as text that docutils accepts."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils.core import publish_string
from jinja2 import Environment, StrictUndefined

from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.tables import TABLES

FOLDER = Path(__file__).parents[2] / "workflow" / "report"


def _render(name: str, caption: str = "") -> str:
    job = SimpleNamespace(
        config={"profile": "small", "datasets": {"lee": {}}}, params=SimpleNamespace(caption=caption)
    )
    template = Environment(undefined=StrictUndefined).from_string((FOLDER / name).read_text(encoding="utf-8"))
    text = template.render(snakemake=job).strip()
    publish_string(text, writer="null", settings_overrides={"halt_level": 2, "report_level": 5})
    return text


def test_the_caption_of_every_kind_renders() -> None:
    for output in chain(TABLES.values(), FIGURES.values()):
        assert _render("table.rst", output.caption) == output.caption


@pytest.mark.parametrize("name", ["workflow.rst", "site.rst"])
def test_the_overview_and_the_sites_caption_render(name: str) -> None:
    assert _render(name)
