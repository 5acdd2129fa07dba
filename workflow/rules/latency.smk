# Latency: timed alone on the machine. Locally a job takes every core, so that no other runs beside it.
for entry, reranker in TIMINGS:
    timed = CONFIG.latency[entry]

    rule:
        name:
            f"latency_{entry}_{reranker}"
        input:
            dataset=dataset_files(timed.dataset),
            candidates=results(places.CANDIDATES, dataset=timed.dataset, first_stage=timed.first_stage),
            model=model_of(CONFIG.rerankers[reranker]),
        output:
            latency=latency_file(entry, reranker),
        params:
            config=CONFIG_FILE,
            entry=entry,
            reranker=reranker,
            timed=timed.model_dump(mode="json"),
            settings=settings_of("rerankers", reranker),
        log:
            f"{ROOT}/logs/latency/{entry}/{reranker}.log",
        benchmark:
            f"{ROOT}/benchmarks/latency/{entry}/{reranker}.tsv"
        threads: workflow.cores or CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=240,
        conda:
            ENVIRONMENT
        shell:
            "e2rank-eval latency {params.entry} {params.reranker} --config {params.config} 2>&1 | tee {log}"
