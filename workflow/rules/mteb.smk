# MTEB by mteb itself: one job per model or reranker of an entry takes all its tasks, so that its weights load
# once. What mteb wrote of finished tasks is declared by no rule: Snakemake never deletes it, a killed job resumes.
for entry, system in GRAPH.mteb_jobs:

    rule:
        name:
            f"mteb-{entry}-{system}"
        input:
            models=GRAPH.mteb_models(entry, system),
        output:
            record=GRAPH.path(places.MTEB_RECORD, entry=entry, system=system),
        log:
            f"{GRAPH.root}/logs/mteb/{entry}/{system}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/mteb/{entry}/{system}.tsv"
        retries: 1
        conda:
            ENVIRONMENT
        threads: CONFIG.threads
        resources:
            mem_mb=16000,
            runtime=2880,
        params:
            config=GRAPH.config,
            entry=entry,
            system=system,
            settings=GRAPH.mteb_settings(entry, system),
        shell:
            "e2rank-eval mteb {params.system} --entry {params.entry} --config {params.config} 2>&1 | tee {log}"
