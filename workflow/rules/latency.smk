# Latency: one job times the systems of an entry in turns. Locally it reserves all cores, so that no other job of the
# workflow runs at the same time; on Slurm it requests an exclusive node.
for entry, timed in CONFIG.latency.items():

    rule:
        name:
            f"latency-{entry}"
        input:
            dataset=GRAPH.dataset_files([timed.dataset]),
            candidates=GRAPH.candidate_files({timed.first_stage: [timed.dataset]}),
            models=list(
                dict.fromkeys(
                    record
                    for reranker in timed.rerankers
                    for record in GRAPH.model_records("rerankers", reranker)
                )
            ),
        output:
            latency=GRAPH.path(places.LATENCY, latency=entry),
        log:
            f"{GRAPH.root}/logs/latency/{entry}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/latency/{entry}.tsv"
        conda:
            ENVIRONMENT
        threads: workflow.cores or CONFIG.threads
        resources:
            mem_mb=16000,
            runtime=60 + int(timed.budget / 60),
            gpu=max(GRAPH.gpus("rerankers", reranker) for reranker in timed.rerankers),
            slurm_extra="'--exclusive'",
        params:
            config=GRAPH.config,
            entry=entry,
            timed=timed.model_dump(mode="json"),
            settings=[
                GRAPH.settings("rerankers", reranker) for reranker in timed.rerankers
            ],
        shell:
            "e2rank-eval latency {params.entry} --config {params.config} 2>&1 | tee {log}"
