"""One small project, built once; a test that changes it uses a copy."""

from __future__ import annotations

import pytest
from workflow_project import Project, small_configuration


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, minilm_path: object, lee_dataset: object) -> Project:
    project = Project.create(tmp_path_factory.mktemp("projects") / "built", small_configuration())
    done = project.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return project
