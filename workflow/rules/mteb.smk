# MTEB, run with mteb: one job per model or reranker of an entry evaluates all tasks, so that the weights load once.
# mteb's files of finished tasks are not outputs of a rule, so Snakemake never deletes them and a killed job resumes.
for entry, system in GRAPH.mteb_jobs:

    rule:
        name:
            f"mteb-{entry}+{file_name(system)}"
        input:
            models=GRAPH.mteb_models(entry, system),
        output:
            record=GRAPH.mteb_file(entry, system),
        log:
            f"{GRAPH.root}/logs/mteb/{entry}/{file_name(system)}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/mteb/{entry}/{file_name(system)}.tsv"
        retries: 1
        conda:
            ENVIRONMENT
        threads: CONFIG.threads
        resources:
            mem_mb=16000,
            runtime=2880,
            gpu=CONFIG.gpus,
        params:
            config=GRAPH.config,
            entry=entry,
            system=system,
            settings=GRAPH.mteb_settings(entry, system),
        shell:
            "e2rank-eval mteb {params.system:q} --entry {params.entry} --config {params.config} 2>&1 | tee {log}"
