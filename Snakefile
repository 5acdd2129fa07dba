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


# Not while the rules are read: a dry run, or a run that finds the folder locked, would change a running workflow.
onstart:
    GRAPH.pin()


rule all:
    default_target: True
    input:
        site=GRAPH.path(places.SITE),


# One target per stage: `snakemake candidates`, `snakemake runs`, and so on.
rule datasets:
    input:
        GRAPH.dataset_files(name for name, one in CONFIG.datasets.items() if one.run),


# Not part of `all`: a newly trained model is in the registry only at the next call of Snakemake.
rule training:
    input:
        GRAPH.trainings.files(),


rule candidates:
    input:
        GRAPH.candidate_files(GRAPH.retrievals),


rule runs:
    input:
        GRAPH.run_files(places.RUN, GRAPH.rerankings),


rule metrics:
    input:
        GRAPH.run_files(places.METRICS, GRAPH.rerankings),


rule comparisons:
    input:
        GRAPH.comparison_files(),


rule latency:
    input:
        GRAPH.latency_files(),


rule mteb:
    input:
        GRAPH.mteb_files(),


rule tables:
    input:
        GRAPH.table_files(GRAPH.tables),


rule figures:
    input:
        GRAPH.figure_files(GRAPH.figures),
