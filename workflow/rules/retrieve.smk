# Candidates: one job per first stage takes all its data sets, so that its model loads once.
for first_stage, names in RETRIEVALS.items():

    rule:
        name:
            f"retrieve_{first_stage}"
        input:
            datasets=[path for dataset in names for path in dataset_files(dataset)],
            model=model_of(CONFIG.first_stages[first_stage]),
        output:
            candidates=[
                results(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
                for dataset in names
            ],
        params:
            config=CONFIG_FILE,
            first_stage=first_stage,
            datasets=names,
            settings=settings_of("first_stages", first_stage),
        log:
            f"{ROOT}/logs/retrieve/{first_stage}.log",
        benchmark:
            f"{ROOT}/benchmarks/retrieve/{first_stage}.tsv"
        threads: CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=240,
        conda:
            ENVIRONMENT
        shell:
            "e2rank-eval retrieve {params.first_stage} {params.datasets} --config {params.config} 2>&1 | tee {log}"
