# Encode a part of a corpus for dense retrieval, where the configuration splits the work into several jobs.
rule encode_part:
    input:
        datasets=lambda wildcards: GRAPH.dataset_files([wildcards.dataset]),
        models=lambda wildcards: GRAPH.model_records(
            "first_stages", wildcards.first_stage
        ),
    output:
        receipt=GRAPH.path(places.ENCODE_PART),
    log:
        f"{GRAPH.root}/logs/encode/{{dataset}}/{{first_stage}}/{{part}}-of-{{parts}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/encode/{{dataset}}/{{first_stage}}/{{part}}-of-{{parts}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=480,
        gpu=CONFIG.gpus,
    params:
        config=GRAPH.config,
        settings=lambda wildcards: GRAPH.settings("first_stages", wildcards.first_stage),
    shell:
        "e2rank-eval retrieve {wildcards.first_stage} {wildcards.dataset} --part {wildcards.part}/{wildcards.parts}"
        " --config {params.config} 2>&1 | tee {log}"


# Candidates: one job per first stage retrieves for all its data sets, so that its model loads once.
for first_stage, names in GRAPH.retrievals.items():

    rule:
        name:
            f"retrieve-{first_stage}"
        input:
            datasets=GRAPH.dataset_files(names),
            models=GRAPH.model_records("first_stages", first_stage),
            parts=GRAPH.encode_parts({first_stage: names}),
            own=GRAPH.own_files(first_stage, names),
        output:
            candidates=GRAPH.candidate_files({first_stage: names}),
        log:
            f"{GRAPH.root}/logs/retrieve/{first_stage}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/retrieve/{first_stage}.tsv"
        conda:
            ENVIRONMENT
        threads: GRAPH.threads("first_stages", first_stage)
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=240,
            gpu=GRAPH.gpus("first_stages", first_stage),
        params:
            config=GRAPH.config,
            first_stage=first_stage,
            datasets=names,
            settings=GRAPH.settings("first_stages", first_stage),
        shell:
            "e2rank-eval retrieve {params.first_stage} {params.datasets} --config {params.config} 2>&1 | tee {log}"
