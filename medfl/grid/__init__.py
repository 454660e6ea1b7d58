"""The grid: dataset × partition × arm × seed, read from a params file and checked as a whole."""

from medfl.grid.cell import Cell
from medfl.grid.read import load_grid, read_grid
from medfl.grid.settings import DatasetSettings, GridConfig, Sections

__all__ = ["Cell", "DatasetSettings", "GridConfig", "Sections", "load_grid", "read_grid"]
