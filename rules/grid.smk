# The resolved grid beside its results: defaults, arms and `--config` overrides filled in.
# It is what every later command reads; steps depend on the settings they use, not on this file.


rule grid:
    output:
        "<results>/grid.yaml",
    log:
        "<logs>/grid.log",
    benchmark:
        "<benchmarks>/grid.tsv"
    params:
        text=grid_text(),
    conda:
        "../workflow/envs/medfl.yaml"
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"
