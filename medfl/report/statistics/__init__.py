"""How sure we are: means over seeds, and what may be claimed of differences between arms."""

from medfl.report.statistics.summary import Summary as Summary
from medfl.report.statistics.summary import summarise as summarise
