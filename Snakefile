# The whole evaluation as one graph: data sets -> candidates -> runs -> metrics -> tables, figures, site.
# `snakemake` builds the demo; `snakemake --configfile config/mine.yaml` anything else.
from snakemake.utils import min_version

min_version("9.6")


if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/retrieve.smk"
include: "workflow/rules/rerank.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/latency.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        site=results(places.SITE),


# One target per stage: `snakemake candidates`, `snakemake runs`, and so on.
rule datasets:
    input:
        DATASET_FILES,


rule candidates:
    input:
        CANDIDATE_FILES,


rule runs:
    input:
        RUN_FILES,


rule metrics:
    input:
        METRIC_FILES,


rule comparisons:
    input:
        COMPARISON_FILES,


rule latency:
    input:
        LATENCY_FILES,


rule tables:
    input:
        TABLE_FILES,


rule figures:
    input:
        FIGURE_FILES,
