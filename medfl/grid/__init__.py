"""The grid: dataset × partition × arm × seed, read from a params file and checked as a whole."""

from medfl.grid.cell import Cell
from medfl.grid.read import check_run, load_grid, read_grid
from medfl.grid.settings import GridConfig

__all__ = ["Cell", "GridConfig", "check_run", "load_grid", "read_grid"]
