# Raw images -> one memory-mapped store for each dataset and resolution.


rule prepare:
    input:
        description,
    output:
        info="<store>/dataset.yaml",
        samples="<store>/samples.csv",
        images="<store>/images.npy",
    log:
        "<logs>/prepare/{dataset}.log",
    benchmark:
        "<benchmarks>/prepare/{dataset}.tsv"
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        code=lambda wildcards: FLOW.store_code(wildcards),
        options=FLOW.prepare_options,
    shell:
        "medfl prepare {wildcards.dataset} {params.options:q} --force > {log:q} 2>&1"
