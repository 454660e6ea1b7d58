"""A figure of a person's own that is right, as source: tests change a line of it."""

OWN = """
from matplotlib.figure import Figure
from medfl.report.plots.base import GridFigure

class Seeds(GridFigure):
    title = "How many seeds"
    needs = "runs"

    def caption(self, subject):
        return f"{subject.place}: how many runs there are in all, as a single dot."

    def draw(self, subject):
        figure = Figure()
        figure.subplots().plot([0], [len(subject.results.runs)], "o")
        return figure
"""
