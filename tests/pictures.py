"""Measure pictures with the renderer: what is written, where, and over what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_SLACK = 1.0  # pixels


def every_axes(figure: Figure) -> Iterator[Axes]:
    """Yield the axes of a figure, insets too."""
    waiting = list(figure.axes)
    seen: set[int] = set()
    while waiting:
        ax = waiting.pop()
        if id(ax) in seen:
            continue
        seen.add(id(ax))
        waiting += ax.child_axes
        yield ax


def written(figure: Figure) -> list[Text]:
    """Return every text that is drawn."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # everything finds its place, and no pixel is painted
    found = list(figure.texts)
    for legend in figure.legends:
        found += legend.get_texts()
    for ax in every_axes(figure):
        found += [*ax.texts, ax.title, ax._left_title, ax._right_title]
        legend = ax.get_legend()
        if legend is not None:
            found += [*legend.get_texts(), legend.get_title()]
        if ax.axison:
            found += _axis_texts(ax)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _axis_texts(ax: Axes) -> list[Text]:
    found: list[Text] = []
    for axis in (ax.xaxis, ax.yaxis):
        if not axis.get_visible():
            continue
        low, high = sorted(axis.get_view_interval())
        found += [axis.label, axis.offsetText]
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            inside = low - 1e-9 <= tick.get_loc() <= high + 1e-9
            found += [t for t in (tick.label1, tick.label2) if inside and tick.get_visible()]
    return found


def words(figure: Figure) -> str:
    """Return all that is written."""
    return "\n".join(text.get_text() for text in written(figure))


def _extent(text: Text, figure: Figure) -> Bbox:
    renderer = figure.canvas.get_renderer()
    frame = text.get_bbox_patch()
    return (frame or text).get_window_extent(renderer)


def check_texts(figure: Figure) -> None:
    """Fail if a text leaves the figure or lies over another."""
    texts = written(figure)
    boxes = [(text, _extent(text, figure)) for text in texts]
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes:
        inside = (
            box.x0 >= -_SLACK
            and box.y0 >= -_SLACK
            and box.x1 <= width + _SLACK
            and box.y1 <= height + _SLACK
        )
        assert inside, f"{text.get_text()!r} leaves the figure: {box} in {width} x {height}"
    for (one, a), (two, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= _SLACK or down <= _SLACK, (
            f"{one.get_text()!r} lies over {two.get_text()!r}"
        )
