# Tables and runs -> figures and the self-contained report.


rule report:
    input:
        rules.aggregate.output,
        FLOW.splits(),
    output:
        html=report(
            f"<results>/{paths.REPORT}",
            category="Report",
            caption="../workflow/report/report.rst",
        ),
        figures=report(
            directory(f"<results>/{paths.FIGURES}"),
            patterns=["{figure}.png"],
            category="Figures",
            caption="../workflow/report/figures.rst",
        ),
    log:
        "<logs>/report.log",
    conda:
        "../workflow/envs/medfl.yaml"
    # All of them: nothing else is left to do. Snakemake takes --cores where this is more.
    threads: 64
    params:
        folder=subpath(output.html, parent=True),
        code=FLOW.report_code,
        names=FLOW.order,
        figures=GRID.figures,
    shell:
        'medfl report --grid "$MEDFL_GRID" --results {params.folder:q} --cores {threads}'
        " > {log:q} 2>&1"
