# Shared by all rule files: the checked configuration and its job graph.
import re
from os.path import relpath
from pathlib import Path

from snakemake.exceptions import WorkflowError

from e2rank_eval.config.references import file_name
from e2rank_eval.errors import SuiteError
from e2rank_eval.graph import Graph, lead
from e2rank_eval.paper.runs import registry as published_runs
from e2rank_eval.store import layout as places

ENVIRONMENT = "../../environment.yml"

try:
    GRAPH = Graph(config, [relpath(path) for path in workflow.configfiles])
except SuiteError as error:
    raise WorkflowError(f"error: {error}") from error

CONFIG = GRAPH.configuration
lead(elsewhere=workflow.remote_exec)


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    first_stage="|".join(CONFIG.first_stages),
    reranker="|".join(CONFIG.rerankers),
    comparison="|".join(CONFIG.comparisons) or "none",
    figure="|".join(GRAPH.figures) or "none",
    run="|".join(published_runs().runs),
    model="|".join(map(re.escape, GRAPH.models)),
    part="[0-9]+",
    parts="[0-9]+",
