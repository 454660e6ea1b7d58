"""Draws a figure once for two files: as lines (SVG) and as pixels (PNG).

Matplotlib goes through all parts of a figure once for each format, which takes longer than to write
the files. Here each line, mark and text goes to both as it comes. What is drawn counts in points,
the unit of an SVG; for the pixels it is scaled.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path as File
from typing import IO, Any

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase, RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedPath
from PIL import Image

from medfl.pages.fonts import fit_fonts, fitting

POINTS = 72  # in an inch
UNDATED = {"Date": None}  # equal figures give equal files
COLOURS = 128  # in a PNG: edges of letters and lines need some between the colours of arms
KEPT = 4096  # texts that a process remembers: names of arms, numbers at axes


class OnePass(FigureCanvasBase):
    """The canvas of a figure whose SVG and PNG are drawn together, when the first of them is saved.

    Args:
        figure: its resolution becomes 72 dots an inch, with which it is to be saved.
        dpi: pixels an inch of the PNG.
    """

    ENDINGS = (".svg", ".png")

    def __init__(self, figure: Figure, dpi: float) -> None:
        super().__init__(figure)
        figure.set_dpi(POINTS)
        width, height = figure.get_size_inches()
        self._dpi, self._svg = dpi, io.StringIO()
        self._renderer = _Both(width, height, self._svg, dpi)
        self._drawn: bool | None = None

    def get_renderer(self) -> RendererBase:
        """Whom a layout asks how wide texts are."""
        return self._renderer

    def print_svg(self, filename: str | os.PathLike[str], **_: Any) -> None:
        """Save the SVG; ``Figure.savefig`` calls this."""
        if _is_path(filename) and self._draw():
            File(filename).write_text(self._svg.getvalue(), encoding="utf-8")
        else:
            with self._handed_to(FigureCanvasSVG) as lines:
                lines.print_svg(filename, metadata=UNDATED)

    def print_png(self, filename: str | os.PathLike[str], **_: Any) -> None:
        """Save the PNG: a drawing in few colours, as good to the eye and a quarter of the bytes."""
        if _is_path(filename) and self._draw():
            picture = Image.fromarray(self._renderer.pixels()).convert("RGB")
            if not self._renderer.photographs:
                few = Image.Quantize.FASTOCTREE
                picture = picture.quantize(COLOURS, few, dither=Image.Dither.NONE)
            picture.save(filename, "PNG", compress_level=7)  # 9: a tenth less, six times as long
        else:
            with self._handed_to(FigureCanvasAgg) as paint:
                paint.print_png(filename)

    @contextmanager
    def _handed_to(self, kind: type[FigureCanvasBase]) -> Iterator[Any]:
        """Have one of matplotlib's own canvases draw, its pixels as fine as the PNG's."""
        self.figure.set_dpi(self._dpi)
        try:
            yield kind(self.figure)
        finally:
            self.figure.set_canvas(self)

    def _draw(self) -> bool:
        """Draw it, unless that is done; false where matplotlib has to, once for each format."""
        if self._drawn is None:
            try:
                self.figure.draw(self._renderer)
                self._renderer.lines.finalize()
                self._drawn = True
            except _NeedsPixelsError:
                fit_fonts(self.figure)
                self._drawn = False
        return self._drawn


def _is_path(place: Any) -> bool:
    """Whether a file is named; matplotlib passes a stream where it only wants to be called back."""
    return isinstance(place, str | os.PathLike)


class _NeedsPixelsError(Exception):
    """A part of a figure asks to be pixels in every format."""


class _Both(RendererBase):
    """Draws into an SVG and into pixels; the names of methods are matplotlib's.

    Attributes:
        lines: writes the SVG.
        paint: paints the pixels.
        photographs: whether a picture of many colours was drawn.
    """

    def __init__(self, width: float, height: float, svg: IO[str], dpi: float) -> None:
        super().__init__()
        self._width, self._height = width * POINTS, height * POINTS
        size = self._width, self._height
        lines: Any = RendererSVG  # matplotlib says nothing of the types of these two
        paint: Any = RendererAgg
        self.lines = lines(*size, svg, image_dpi=dpi, metadata=UNDATED)
        self.paint = paint(int(width * dpi), int(height * dpi), dpi)
        self._factor = dpi / POINTS
        self._scale = Affine2D().scale(self._factor)
        self.photographs = False
        self.dpi = dpi  # pictures that lie on the figure itself ask for it

    def pixels(self) -> np.ndarray:
        """What is painted, (rows, columns, RGBA) in bytes."""
        return np.asarray(self.paint.buffer_rgba())

    # --- what matplotlib asks

    def flipy(self) -> bool:
        return True

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self._width, self._height

    def get_image_magnification(self) -> float:
        return self._factor

    def option_image_nocomposite(self) -> bool:
        return True

    def option_scale_image(self) -> bool:
        return True

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: Any
    ) -> tuple[float, float, float]:
        return _size(s, prop.copy(), ismath)

    def start_rasterizing(self) -> None:
        raise _NeedsPixelsError

    def start_filter(self) -> None:
        raise _NeedsPixelsError

    # --- what it draws

    def open_group(self, s: str, gid: str | None = None) -> None:
        self.lines.open_group(s, gid)

    def close_group(self, s: str) -> None:
        self.lines.close_group(s)

    def draw_path(self, gc: Any, path: Path, transform: Transform, rgbFace: Any = None) -> None:
        self.lines.draw_path(gc, path, transform, rgbFace)
        self.paint.draw_path(self._pen(gc), path, transform + self._scale, rgbFace)

    def draw_markers(
        self, gc: Any, mark: Path, on_mark: Transform, path: Path, on_path: Transform, *args: Any
    ) -> None:
        self.lines.draw_markers(gc, mark, on_mark, path, on_path, *args)
        on_mark, on_path = on_mark + self._scale, on_path + self._scale
        self.paint.draw_markers(self._pen(gc), mark, on_mark, path, on_path, *args)

    def draw_path_collection(  # type: ignore[override]
        self, gc: Any, on_all: Transform, paths: Any, on_each: Any, offsets: Any,
        on_offsets: Transform, *args: Any, **more: Any,
    ) -> None:  # fmt: skip
        each = paths, on_each, offsets
        self.lines.draw_path_collection(gc, on_all, *each, on_offsets, *args, **more)
        scaled = [(one + self._scale).frozen() for one in (on_all, on_offsets)]
        self.paint.draw_path_collection(self._pen(gc), scaled[0], *each, scaled[1], *args, **more)

    def draw_quad_mesh(
        self, gc: Any, on_all: Transform, columns: int, rows: int, corners: Any, offsets: Any,
        on_offsets: Transform, *args: Any,
    ) -> None:  # fmt: skip
        cells = columns, rows, corners, offsets
        self.lines.draw_quad_mesh(gc, on_all, *cells, on_offsets, *args)
        scaled = [(one + self._scale).frozen() for one in (on_all, on_offsets)]
        self.paint.draw_quad_mesh(self._pen(gc), scaled[0], *cells, scaled[1], *args)

    def draw_gouraud_triangles(self, gc: Any, corners: Any, colours: Any, on_all: Any) -> None:
        self.lines.draw_gouraud_triangles(gc, corners, colours, on_all)
        scaled = (on_all + self._scale).frozen()
        self.paint.draw_gouraud_triangles(self._pen(gc), corners, colours, scaled)

    def draw_image(
        self, gc: Any, x: float, y: float, im: Any, transform: Transform | None = None
    ) -> None:
        self.lines.draw_image(gc, x, y, im, transform)
        x, y = x * self._factor, y * self._factor
        if transform is not None:  # it comes as it is, for the SVG to enlarge
            im, x, y = _enlarged(im, transform + self._scale.frozen().translate(x, y))
            im[..., 3] = np.round(im[..., 3] * gc.get_alpha())
        self.paint.draw_image(self._pen(gc), round(x), round(y), im)
        self.photographs |= Image.fromarray(im).getcolors(COLOURS) is None

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: FontProperties, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        font = fitting(s, prop)
        self.lines.draw_text(gc, x, y, s, font, angle, ismath, mtext)
        # An outline, which is known from the last time: Agg would make each letter anew.
        pen = self._pen(gc)
        pen.set_linewidth(0)
        there = Affine2D().rotate_deg(angle).translate(x, self._height - y) + self._scale
        self.paint.draw_path(pen, _outline(s, font.copy(), ismath), there, gc.get_rgb())

    def _pen(self, gc: Any) -> Any:
        """The same pen, whose clipping counts in pixels."""
        pen = self.paint.new_gc()
        pen.copy_properties(gc)
        if (box := gc.get_clip_rectangle()) is not None:
            pen.set_clip_rectangle(Bbox(box.get_points() * self._factor))
        path, transform = gc.get_clip_path()
        if path is not None:
            pen.set_clip_path(TransformedPath(path, transform + self._scale))
        return pen


def _enlarged(im: np.ndarray, transform: Transform) -> tuple[np.ndarray, float, float]:
    """A picture in the pixels of the painted one, and where its lower left corner is there.

    Args:
        im: (rows, columns, RGBA), the lowest row first.
        transform: from the unit square into pixels.
    """
    rows, columns = im.shape[:2]
    corners = np.round(transform.transform([(0, 0), (0, 1), (1, 0), (1, 1)]))
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    back = Affine2D().translate(left, low) + transform.inverted() + Affine2D().scale(columns, rows)
    size = max(1, int(right - left)), max(1, int(high - low))
    numbers = back.get_matrix()[:2].ravel().tolist()
    nearest = Image.Resampling.NEAREST
    drawn = Image.fromarray(im).transform(size, Image.Transform.AFFINE, numbers, nearest)
    return np.array(drawn), left, low


@lru_cache(KEPT)
def _size(text: str, font: FontProperties, formula: Any) -> tuple[float, float, float]:
    """Width, height and descent of a line of text in points."""
    return text_to_path.get_text_width_height_descent(text, fitting(text, font), formula)


@lru_cache(KEPT)
def _outline(text: str, font: FontProperties, formula: Any) -> Path:
    """The outline of a line of text in points, whose base begins at the origin."""
    corners, codes = text_to_path.get_text_path(font, text, ismath=formula)
    scale = font.get_size_in_points() / text_to_path.FONT_SCALE
    return Path(np.asarray(corners) * scale, codes)
