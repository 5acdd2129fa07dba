# What every rule file shares: the checked configuration and the files that it asks for.
import re
import sys
from os.path import relpath
from pathlib import Path

from snakemake.exceptions import WorkflowError

from e2rank_eval.errors import SuiteError
from e2rank_eval.graph import FIGURE_SUFFIXES, TABLE_SUFFIXES, Graph, lead
from e2rank_eval.config.entries import models as registered_models
from e2rank_eval.paper.runs import registry as published_runs
from e2rank_eval.store import layout as places

ENVIRONMENT = "../../environment.yml"

# A dry run shows the whole grid; a run leaves out of the paper's tables what this machine lacks.
DRY_RUN = any(
    re.fullmatch("--dry-?run|-[a-zA-Z]*n[a-zA-Z]*", argument) for argument in sys.argv
)

try:
    GRAPH = Graph(
        config,
        ", ".join(map(relpath, workflow.configfiles)) or "--config",
        whole=DRY_RUN,
    )
except SuiteError as error:
    raise WorkflowError(f"error: {error}") from error

CONFIG = GRAPH.configuration
GRAPH.pin()
lead(elsewhere=workflow.remote_exec)


onstart:
    for missing in GRAPH.artefacts.left_out_summary():
        print(f"left out: {missing}", file=sys.stderr)


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
