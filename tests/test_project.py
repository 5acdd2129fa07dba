"""The project's own files agree with each other, and an installed wheel works outside the clone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def _lock(name: str = "requirements.lock") -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def _locked_ranges() -> list[str]:
    """Everything that `make` installs; `slurm` and `gpu` are a user's own choice."""
    return [*PROJECT["dependencies"], *(r for extra in ("demo", "test", "notebooks") for r in EXTRAS[extra])]


_RANGES = [("requirements.lock", one) for one in _locked_ranges()]
_RANGES += [
    ("requirements-gpu.lock", one) for one in (*PROJECT["dependencies"], *EXTRAS["demo"], *EXTRAS["gpu"])
]


@pytest.mark.parametrize(("lock", "requirement"), _RANGES)
def test_a_lock_satisfies_every_range(lock: str, requirement: str) -> None:
    wanted = Requirement(requirement)
    version = _lock(lock).get(canonicalize_name(wanted.name))
    assert version is not None, f"{wanted.name} is not in {lock}"
    assert wanted.specifier.contains(version, prereleases=True)


def test_torch_is_pinned_without_a_build_so_that_the_index_decides() -> None:
    assert _lock()["torch"] == "2.13.0"


def test_conda_users_get_the_same_lock_and_python() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "-r requirements.lock" in pip
    (python,) = (d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python"))
    version = python.removeprefix("python=")
    assert f"python{version}" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


def test_continuous_integration_runs_what_the_readme_names() -> None:
    called = re.findall(r"^make (.+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert called == ["check test-all"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"make {one}" in readme for one in ("demo", "test", "test-all", "check"))


def test_every_command_of_the_makefile_is_documented() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE))


@pytest.mark.slow
def test_a_wheel_works_outside_the_clone(tmp_path: Path) -> None:
    """The wheel contains registries, schemas, templates and types; nothing is read from the clone."""
    wheels, site, elsewhere = tmp_path / "wheels", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    source = tmp_path / "source"  # setuptools would leave a build folder in the clone
    shutil.copytree(
        ROOT / "e2rank_eval", source / "e2rank_eval", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    _python(source, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), ".")
    (wheel,) = wheels.glob("*.whl")
    _python(elsewhere, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel))
    where = _run(elsewhere, site, "-c", "import e2rank_eval; print(e2rank_eval.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    models = json.loads(_run(elsewhere, site, "-m", "e2rank_eval", "list", "models", "--json"))
    assert {"all-minilm-l6-v2", "smollm2-135m-instruct-q4"} <= {row["name"] for row in models}
    (elsewhere / "a.run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\n")
    (elsewhere / "qrels.txt").write_text("q1 0 d2 1\nq2 0 d1 1\n")
    scored = json.loads(
        _run(elsewhere, site, "-m", "e2rank_eval", "evaluate", "a.run", "qrels.txt", "--json")
    )
    # d2 at rank 2 gives 1 / log2(3) for q1, and q2 has no ranking: half of it.
    assert scored["mean"]["nDCG@10"] == pytest.approx(0.6309297535714575 / 2)
    assert scored["queries"]["unanswered"] == ["q2"]
    packaged = {path.relative_to(site).as_posix() for path in (site / "e2rank_eval").rglob("*")}
    data = {p.relative_to(ROOT).as_posix() for p in (ROOT / "e2rank_eval").rglob("*") if p.suffix in _DATA}
    assert data <= packaged


_DATA = {".yaml", ".json", ".csv", ".html", ".css", ".js", ".typed", ".j2"}


def _python(cwd: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _run(cwd: Path, site: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
