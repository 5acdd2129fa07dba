"""Tables and figures: ids, declared and actual inputs, captions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils.core import publish_string
from jinja2 import Environment, StrictUndefined

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.config.measurements import PaperFigure
from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.tables import TABLES

FOLDER = Path(__file__).parents[2] / "workflow" / "report"


def test_every_output_reads_exactly_the_files_that_it_declares(stored: Results) -> None:
    configuration = stored.configuration
    for outputs, build in ((TABLES, TABLES.build), (FIGURES, FIGURES.build)):
        for identifier, shown in outputs.shown(configuration).items():
            fresh = Results(stored.layout, configuration)
            assert build(fresh, identifier).id == identifier  # type: ignore[operator]
            read = {path.relative_to(stored.layout.root).as_posix() for path in fresh.files_read}
            assert read == set(shown.inputs(configuration)), identifier


def test_asking_for_one_quality_table_times_nothing(stored: Results) -> None:
    found = TABLES.shown(stored.configuration)["embedded"].inputs(stored.configuration)
    assert found[0] == "comparisons/embedded.json"
    assert not any(path.startswith(("latency/", "mteb/")) for path in found)


def test_an_unknown_id_is_refused_with_those_known(stored: Results) -> None:
    with pytest.raises(InputError, match=r"unknown table 'embeded'; did you mean embedded"):
        TABLES.build(stored, "embeded")
    with pytest.raises(InputError, match=r"unknown figure 'wins-'"):
        FIGURES.build(stored, "wins-")


def _configuration(comparisons: list[str], latency: list[str]) -> Configuration:
    compared = {"title": "t", "datasets": ["d"], "first_stage": "s", "rerankers": ["r"], "baselines": ["r"]}
    timed = {"dataset": "d", "first_stage": "s", "rerankers": ["r"]}
    values = {
        "profile": "p",
        "datasets": {"d": {}},
        "first_stages": {"s": {"retriever": "bm25"}},
        "rerankers": {"r": {"family": "identity"}},
        "comparisons": dict.fromkeys(comparisons, compared),
        "latency": dict.fromkeys(latency[:1], timed),
    }
    return parse_configuration(values, "test.yaml")


@pytest.mark.parametrize("names", [["a", "a-tests"], ["latency-x"]])
def test_two_tables_of_one_name_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="two tables would be called"):
        TABLES.shown(_configuration(names, ["x"]))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"figure": "swep", "of": "s"}, "figure: unknown name 'swep'"),
        ({"figure": "bars", "of": "table1"}, "bars needs of, column, and no other key"),
        ({"figure": "sweep", "of": "s", "column": "dl19"}, "sweep needs title, datasets, first_stage"),
        ({"figure": "similarity", "title": "t"}, "similarity needs title, datasets, first_stage, rerankers"),
    ],
)
def test_a_figure_has_the_keys_of_its_kind(keys: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PaperFigure.model_validate(keys)


def test_a_single_system_has_no_wins_to_draw() -> None:
    assert FIGURES.shown(_configuration(["alone"], [])) == {}


@pytest.mark.slow
def test_asking_for_ids_loads_neither_plots_nor_models() -> None:
    code = (
        "import sys; from e2rank_eval.report.tables import TABLES;"
        "from e2rank_eval.report.figures import FIGURES;"
        "list(TABLES), list(FIGURES); print({'matplotlib', 'scipy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _render(name: str, **params: object) -> str:
    job = SimpleNamespace(
        config={"profile": "small", "datasets": {"lee": {}}}, params=SimpleNamespace(**params)
    )
    template = Environment(undefined=StrictUndefined).from_string((FOLDER / name).read_text(encoding="utf-8"))
    text = template.render(snakemake=job).strip()
    publish_string(text, writer="null", settings_overrides={"halt_level": 2, "report_level": 5})
    return text


def test_the_caption_of_every_kind_renders() -> None:
    assert len({output.caption for output in TABLES.values()}) == len(TABLES)
    for output in FIGURES.values():
        assert output.caption
        assert _render("figure.rst", caption=output.caption) == output.caption
    captions = {name: output.caption for name, output in TABLES.items()}
    assert all(caption in _render("table.rst", captions=captions) for caption in captions.values())


@pytest.mark.parametrize("name", ["workflow.rst", "site.rst"])
def test_the_overview_and_the_sites_caption_render(name: str) -> None:
    assert _render(name)
