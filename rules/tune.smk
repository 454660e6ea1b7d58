# The points of a search -> the values of a run, chosen on validation samples; see docs/tuning.md.


rule tune:
    input:
        store=ancient("<store>/dataset.yaml"),
        split=split_of_point,
        given=lambda wildcards: FLOW.given_store(wildcards),
    output:
        metrics=f"<point>/{paths.RECORD}",
        config=f"<point>/{paths.CONFIG}",
        rounds=f"<point>/{paths.ROUNDS}",
        clients=f"<point>/{paths.CLIENTS}",
    log:
        "<logs>/tune/{dataset}/{partition}/{arm}/seed{seed}/point{point}.log",
    conda:
        "../workflow/envs/medfl.yaml"
    threads: lambda wildcards: FLOW.run_cores(wildcards)
    resources:
        gpu=int(FLOW.gpu_slots > 0),
    params:
        folder=subpath(output.metrics, parent=True),
        code=lambda wildcards: FLOW.point_code(wildcards),
        settings=lambda wildcards: FLOW.point_settings(wildcards),
    shell:
        'medfl run --grid "$MEDFL_GRID" --dataset {wildcards.dataset}'
        " --partition {wildcards.partition} --arm {wildcards.arm} --seed {wildcards.seed}"
        " --point {wildcards.point} --split {input.split:q} --output-dir {params.folder:q}"
        " --cores {threads} > {log:q} 2>&1"


rule choose:
    input:
        points=points_of_search,
        splits=lambda wildcards: FLOW.compared_splits(wildcards),
    output:
        f"<tuned>/{paths.CHOSEN}",
    log:
        "<logs>/choose/{dataset}/{partition}/{arm}/seed{seed}.log",
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        results=subpath(output[0], ancestor=6),
        choice=lambda wildcards: FLOW.choice(wildcards),
    shell:
        'medfl choose --grid "$MEDFL_GRID" --dataset {wildcards.dataset}'
        " --partition {wildcards.partition} --arm {wildcards.arm} --seed {wildcards.seed}"
        " --results {params.results:q} > {log:q} 2>&1"


# What all searches found: a table of their points, and the best of k of them.
rule tuning:
    input:
        FLOW.tuning.files,
    output:
        table=report(
            f"<results>/{paths.TUNED}",
            category="Tuning",
            caption="../workflow/report/tuning.rst",
        ),
        curves=multiext(f"<results>/{paths.BEST_OF_K}", ".csv", ".svg"),
        picture=report(
            f"<results>/{paths.BEST_OF_K}.png",
            category="Tuning",
            caption="../workflow/report/best-of-k.rst",
        ),
    log:
        "<logs>/tuning.log",
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        results=subpath(output.table, ancestor=2),
        code=FLOW.tuning.table_code,
    shell:
        'medfl tuning --grid "$MEDFL_GRID" --results {params.results:q} > {log:q} 2>&1'
