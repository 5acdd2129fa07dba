# What every rule file shares: the checked configuration and the files that it asks for.
import os
import sys
from os.path import relpath
from pathlib import Path

from snakemake.exceptions import WorkflowError

from e2rank_eval.errors import SuiteError
from e2rank_eval.graph import FIGURE_SUFFIXES, TABLE_SUFFIXES, Graph
from e2rank_eval.models.registry import registered_models
from e2rank_eval.paper.runs import registry as published_runs
from e2rank_eval.store import layout as places

ENVIRONMENT = "../../environment.yml"

try:
    GRAPH = Graph(config, [relpath(path) for path in workflow.configfiles])
except SuiteError as error:
    raise WorkflowError(f"error: {error}") from error

CONFIG = GRAPH.configuration
GRAPH.pin()

# Shell lines find the e2rank-eval beside this Python, and die with the process that leads the workflow; a job that a
# scheduler started leads itself, for the process that asked for it may be on another machine.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
if workflow.remote_exec or "E2RANK_EVAL_LEADER" not in os.environ:
    os.environ["E2RANK_EVAL_LEADER"] = str(os.getpid())


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    first_stage="|".join(CONFIG.first_stages),
    reranker="|".join(CONFIG.rerankers),
    comparison="|".join(CONFIG.comparisons) or "none",
    table="|".join(GRAPH.tables) or "none",
    figure="|".join(GRAPH.figures) or "none",
    run="|".join(published_runs().runs),
    model="|".join(registered_models()),
    part="[0-9]+",
    parts="[0-9]+",
