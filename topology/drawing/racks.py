"""Draw a plan of racks: a front view of each kind, the floor, and the cables by length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from topology.drawing.canvas import Sheet, page, text_width, wrapped
from topology.drawing.rack_plan import RackKind, RackPlan, plan_racks
from topology.drawing.style import DrawStyle, draw_style
from topology.drawing.view import plural
from topology.supernode import Supernode
from topology.units import format_percent

_KINDS_SHOWN = 4
_ROW = 16
_SMALLEST = 3.5  # points
_WORDS = {"npu": "NPU", "switch": "switch", "cpu": "CPU", "nic": "NIC"}
"""Kinds of device, and what they are called; a rack looks like the first that it holds."""


def draw_racks(
    supernode: Supernode, ax: Axes | None = None, *, style: str | DrawStyle = "light"
) -> tuple[Figure, Axes]:
    """Draw the racks of a machine: elevation of each kind, floor plan, cables by length.

    Parameters
    ----------
    supernode
        The machine; its nodes say their ``rack``, or at least their ``node``.
    ax
        Where to draw; by default a new figure of 12.8 by 7.2 inches, which pyplot does not hold.
    style
        "light", "dark", "print", or a `DrawStyle`.
    """
    looks = draw_style(style)
    plan = plan_racks(supernode)
    with page(looks, ax, _title(supernode, plan), _note(supernode)) as sheet:
        _draw_kinds(sheet, plan)
        _draw_floor(sheet, plan)
        _draw_lengths(sheet, plan)
    return sheet.figure, sheet.ax


def _title(supernode: Supernode, plan: RackPlan) -> str:
    cross = plan.between.sum(axis=(1, 2)) / 2
    between = cross - np.trace(plan.between, axis1=1, axis2=2) / 2
    total, leaving = float(cross.sum()), float(between.sum())
    leave = (
        f"{format_percent(leaving / total)} of the {total:,.0f} links leave their {plan.by}, "
        f"{between[1]:,.0f} of these by fibre"
        if leaving
        else f"none of the {total:,.0f} links leaves its {plan.by}"
    )
    return f"{supernode.name}: {plan.count:,} {plural(plan.by, 'rack', plan.count)}; {leave}"


def _note(supernode: Supernode) -> str:
    history = "; ".join(supernode.history)
    return "links are counted by lane, full duplex; " + (
        history or "lengths are those of the link types"
    )


def _draw_kinds(sheet: Sheet, plan: RackPlan) -> None:
    """Draw one rack of each kind, shelf by shelf, with how many there are."""
    style, kinds = sheet.style, plan.kinds[:_KINDS_SHOWN]
    left, right, bottom, top = 0.3, 6.1, 0.95, 5.7
    wide = (right - left) / len(kinds)
    for k, kind in enumerate(kinds):
        x, width = left + k * wide, min(0.88 * wide, 2.6)
        step = (top - bottom) / max(6, len(kind.shelves))
        high = step * len(kind.shelves)
        sheet.block(x, bottom, width, high, style.ink, linewidth=1.4)
        size = min(style.font - 2, step * 72 * 0.6)
        room = max((text_width(shelf, size) for shelf, _ in kind.shelves), default=0.0)
        for row, (shelf, devices) in enumerate(kind.shelves):
            y = bottom + row * step
            if size >= _SMALLEST:
                sheet.write(x + 0.05, y + step / 2, shelf, fontsize=size, zorder=4)
            _draw_shelf(sheet, (x + room + 0.08, y, width - room - 0.14, step), devices)
            sheet.ax.plot([x, x + width], [y + step] * 2, color=style.grid, linewidth=0.5, zorder=2)
        said = wrapped(_named(plan, kind), style.font - 1, width + 0.1)
        y = bottom + high + 0.08
        sheet.write(x, y, said, va="bottom", fontsize=style.font - 1, linespacing=1.1)
    present = {kind for rack in plan.kinds for _, kind in rack.contents}
    for k, sort in enumerate(name for name in _WORDS if name in present):
        x, colour = left + 0.9 * k, style.devices[sort]
        sheet.block(x, 0.56, 0.14, 0.14, colour, facecolor=colour)
        sheet.write(x + 0.2, 0.63, _WORDS[sort], fontsize=style.font - 1)
    if len(plan.kinds) > len(kinds):
        more = f"and {len(plan.kinds) - len(kinds)} more kinds"
        sheet.write(left, 0.3, more, fontsize=style.font - 1, color=style.faint)


def _draw_shelf(
    sheet: Sheet, place: Sequence[float], devices: Sequence[tuple[str, str, int]]
) -> None:
    """Draw a cell for each device at a place: left, bottom, width, height."""
    x, y, width, height = place
    kinds = [kind for _, kind, count in devices for _ in range(count)]
    wide = width / max(len(kinds), 8)
    cells = [
        Rectangle((x + (at + 0.08) * wide, y + 0.15 * height), 0.84 * wide, 0.7 * height)
        for at in range(len(kinds))
    ]
    colours = [sheet.style.devices[kind] for kind in kinds]
    drawn = PatchCollection(cells, facecolor=colours, edgecolor="none", zorder=3)
    sheet.ax.add_collection(drawn, autolim=False)


def _named(plan: RackPlan, kind: RackKind) -> str:
    """Return which racks are of a kind, and what they hold."""
    held = ", ".join(f"{n:,} {plural(w, k, n)}" for (w, k), n in kind.contents.items())
    first, last, count = kind.racks[0], kind.racks[-1], len(kind.racks)
    word = f"{plan.by} " if first.isdigit() else ""
    if count == 1:
        return f"{word}{first}: {held}"
    return f"{count:,} × {word.replace(' ', 's ')}{first} to {last}: {held}"


def _draw_floor(sheet: Sheet, plan: RackPlan) -> None:
    """Draw the racks from above, in rows, with the cables between them."""
    style = sheet.style
    left, right, bottom, top = 6.7, 12.5, 3.75, 6.0
    count = len(plan.names)
    columns = min(_ROW, count) if count <= 4 * _ROW else int(np.ceil(np.sqrt(count * 2.2)))
    rows = -(-count // columns)
    across, down = (right - left) / columns, (top - bottom) / rows
    spots = [
        (left + (i % columns + 0.5) * across, top - (i // columns + 0.5) * down)
        for i in range(count)
    ]
    wide, tall = 0.62 * min(across, 1.2), min(0.45 * down, 0.5)
    if count <= 4 * _ROW:
        _draw_cables(sheet, plan, spots, tall)
    kind_of = {name: kind for kind in plan.kinds for name in kind.racks}
    size = min(style.font - 2, wide * 72 / 2.2)
    for name, (x, y) in zip(plan.names, spots, strict=True):
        main = min((kind for _, kind in kind_of[name].contents), key=list(_WORDS).index)
        colour = style.devices[main]
        sheet.block(x - wide / 2, y - tall / 2, wide, tall, colour, linewidth=1.6, zorder=4)
        if size >= _SMALLEST and text_width(name, size) < across:
            sheet.write(x, y, name, ha="center", fontsize=size, zorder=5)
    said = f"floor plan, not to scale: {plan.by}s and the cables between them"
    sheet.write(left, top + 0.1, said, fontsize=style.font - 1, va="bottom")


def _draw_cables(
    sheet: Sheet, plan: RackPlan, spots: Sequence[tuple[float, float]], tall: float
) -> None:
    most = float(np.triu(plan.between, 1).max(initial=0.0))
    turn = np.linspace(0, np.pi, 15)
    along, arch = (1 - np.cos(turn)) / 2, np.sin(turn)
    for medium, table in zip(("copper", "optical"), plan.between, strict=True):
        pairs = np.argwhere(np.triu(table, 1) > 0)
        lines = []
        for a, b in pairs.tolist():
            (x, y), (u, v) = spots[a], spots[b]
            rise = min(0.3, 0.05 + 0.05 * abs(u - x)) if abs(y - v) < 1e-9 else 0.0
            over = (tall / 2) * (rise > 0) + rise * arch
            lines.append(np.c_[x + (u - x) * along, y + (v - y) * along + over])
        if lines:
            widths = 0.3 + 1.7 * np.sqrt(table[pairs[:, 0], pairs[:, 1]] / most)
            drawn = LineCollection(
                lines, colors=[sheet.style.media[medium]], linewidths=widths, alpha=0.6, zorder=3,
                linestyles=[sheet.style.dashes[medium]], gid=f"cables-{medium}",
            )  # fmt: skip
            sheet.ax.add_collection(drawn, autolim=False)


def _draw_lengths(sheet: Sheet, plan: RackPlan) -> None:
    """Draw how many cables there are of each length and medium."""
    place, style = (7.45, 0.75, 5.0, 2.25), sheet.style
    inner = Sheet(sheet.ax.inset_axes(place, transform=sheet.ax.transData), style)
    inner.quieten()
    edges = sorted({item.upto for item in plan.lengths})
    most = max((item.count for item in plan.lengths), default=1.0)
    each = 0.38
    for item in plan.lengths:
        optical = item.medium == "optical"
        y = edges.index(item.upto) + (each / 2 if optical else -each / 2)
        inner.ax.barh(
            y, item.count, height=each * 0.92, color=style.media[item.medium],
            hatch="///" if optical else "", edgecolor=style.paper, zorder=3,
        )  # fmt: skip
        inner.beside(item.count, y, f"{item.count:,.0f} {item.medium}, {item.metres:,.0f} m")
    ax = inner.ax
    names = ["longer" if edge == float("inf") else f"≤ {edge:g} m" for edge in edges]
    ax.set_yticks(range(len(edges)), names, fontsize=style.font - 2)
    ax.set(ylim=(-0.6, max(len(edges) - 0.4, 1.6)), xlim=(0, most * 1.6))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set(xlabel="links, lanes", ylabel="length")
