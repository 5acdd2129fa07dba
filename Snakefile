# The whole evaluation as one graph: data sets -> candidates -> runs -> metrics -> tables, figures, site.
# `snakemake` builds the demo; `snakemake --configfile config/mine.yaml` anything else.
from snakemake.utils import min_version

min_version("9.6")


if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/retrieve.smk"
include: "workflow/rules/rerank.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/latency.smk"
include: "workflow/rules/mteb.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/paper.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        site=GRAPH.path(places.SITE),


# One target per stage: `snakemake candidates`, `snakemake runs`, and so on.
rule datasets:
    input:
        GRAPH.dataset_files(CONFIG.datasets),


# Only by name: a model that is trained here is known to the registry from the next call on.
rule training:
    input:
        GRAPH.trainings.files(),


rule candidates:
    input:
        GRAPH.candidate_files(GRAPH.shown_retrievals),


rule runs:
    input:
        GRAPH.reranking_files(places.RUN, GRAPH.shown_rerankings),


rule metrics:
    input:
        GRAPH.reranking_files(places.METRICS, GRAPH.shown_rerankings),


rule comparisons:
    input:
        GRAPH.comparison_files(),


rule published:
    input:
        GRAPH.path(places.PUBLISHED_BM25),


rule latency:
    input:
        GRAPH.latency_files(),


rule mteb:
    input:
        GRAPH.mteb_files(),


rule tables:
    input:
        GRAPH.table_files(),


rule figures:
    input:
        GRAPH.figure_files(),
