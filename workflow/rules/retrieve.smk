# Candidates: one job per first stage takes all its data sets, so that its model loads once.
for first_stage, names in GRAPH.retrievals.items():

    rule:
        name:
            f"retrieve:{first_stage}"
        input:
            datasets=GRAPH.dataset_files(names),
            models=GRAPH.model_records("first_stages", first_stage),
        output:
            candidates=GRAPH.candidate_files({first_stage: names}),
        log:
            f"{GRAPH.root}/logs/retrieve/{first_stage}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/retrieve/{first_stage}.tsv"
        conda:
            ENVIRONMENT
        threads: CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=240,
        params:
            config=GRAPH.config,
            first_stage=first_stage,
            datasets=names,
            settings=GRAPH.settings("first_stages", first_stage),
        shell:
            "e2rank-eval retrieve {params.first_stage} {params.datasets} --config {params.config} 2>&1 | tee {log}"
