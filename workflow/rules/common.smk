# What every rule file shares: the checked configuration and the files that it asks for.
from os.path import relpath

from snakemake.exceptions import WorkflowError

from e2rank_eval.errors import SuiteError
from e2rank_eval.graph import FIGURE_SUFFIXES, TABLE_SUFFIXES, Graph, lead
from e2rank_eval.registry.entries import models as registered_models
from e2rank_eval.store import layout as places

ENVIRONMENT = "../../environment.yml"

try:
    GRAPH = Graph(config, ", ".join(map(relpath, workflow.configfiles)) or "--config")
except SuiteError as error:
    raise WorkflowError(f"error: {error}") from error

CONFIG = GRAPH.configuration
GRAPH.pin()
lead()


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    first_stage="|".join(CONFIG.first_stages),
    reranker="|".join(CONFIG.rerankers),
    comparison="|".join(CONFIG.comparisons) or "none",
    table="|".join(GRAPH.tables) or "none",
    figure="|".join(GRAPH.figures) or "none",
    model="|".join(registered_models()),
