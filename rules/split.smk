# A store -> who holds which sample, in which fold.
#
# `dvc repro` makes the splits through this same rule, so there is one way to make them, and
# Snakemake knows those that DVC has put under version control. See docs/pipeline.md.


rule split:
    input:
        "<store>/dataset.yaml",
    output:
        csv="<split>.csv",
        heterogeneity="<split>.heterogeneity.json",
        picture=report(
            "<split>.png",
            category="Partitions",
            labels={"dataset": "{dataset}", "partition": "{partition}", "seed": "{seed}"},
            caption="../workflow/report/split.rst",
        ),
    log:
        "<logs>/split/{dataset}/{partition}/{dealing}/seed{seed}.log",
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        code=lambda wildcards: FLOW.split_code(wildcards),
        options=lambda wildcards: FLOW.split_options(wildcards),
        work=subpath(input[0], ancestor=3),
    shell:
        "medfl split {wildcards.dataset} --partition {wildcards.partition}"
        " --seed {wildcards.seed} {params.options} --work-root {params.work:q}"
        " --output {output.csv:q} > {log:q} 2>&1"
