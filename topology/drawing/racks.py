"""Draw a plan of racks: a front view of each kind, the floor, and the cables by length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from topology.drawing.canvas import page, quiet_axes, shrink_texts, text_width, wrapped
from topology.drawing.layout import HEIGHT, WIDTH
from topology.drawing.rack_plan import RackKind, RackPlan, plan_racks
from topology.drawing.style import DrawStyle, draw_style
from topology.drawing.view import plural
from topology.supernode import Supernode

_KINDS_SHOWN = 4
_ROW = 16
_SMALLEST = 3.5  # points
_ORDER = ("switch", "npu", "cpu", "nic")


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
    figure, ax = page(looks, WIDTH, HEIGHT, ax)
    before = len(ax.texts)
    _write_title(ax, supernode, plan, looks)
    _draw_kinds(ax, plan, looks)
    _draw_floor(ax, plan, looks)
    _draw_lengths(ax, plan, looks)
    shrink_texts(ax, list(ax.texts)[before:], WIDTH, HEIGHT)
    return figure, ax


def _write_title(ax: Axes, supernode: Supernode, plan: RackPlan, style: DrawStyle) -> None:
    cross = plan.between.sum(axis=(1, 2)) / 2
    inside = np.trace(plan.between, axis1=1, axis2=2) / 2
    between = cross - inside
    total = float(cross.sum())
    leave = (
        f"{between.sum() / max(total, 1):.0%} of the {total:,.0f} links leave their {plan.by}, "
        f"{between[1]:,.0f} of these by fibre"
    ).replace("%", " %")
    if not between.sum():
        leave = f"none of the {total:,.0f} links leaves its {plan.by}"
    title = f"{supernode.name}: {plan.count:,} {plural(plan.by, 'rack', plan.count)}; {leave}"
    note = "links are counted by lane, full duplex; " + (
        "; ".join(supernode.history) or "lengths are those of the link types"
    )
    big = style.font + 3
    title = wrapped(title, big, WIDTH - 0.5)
    ax.text(
        0.15, HEIGHT - 0.12, title, ha="left", va="top", fontsize=big, fontweight="bold",
        color=style.ink, gid="title", linespacing=1.15,
    )  # fmt: skip
    drop = 0.2 + (title.count("\n") + 1) * big * 1.25 / 72
    ax.text(
        0.15, HEIGHT - drop, wrapped(note, style.font, WIDTH - 0.5), ha="left", va="top",
        fontsize=style.font, color=style.faint,
    )  # fmt: skip


def _draw_kinds(ax: Axes, plan: RackPlan, style: DrawStyle) -> None:
    """Draw one rack of each kind, shelf by shelf, with how many there are."""
    kinds = plan.kinds[:_KINDS_SHOWN]
    left, right, bottom, top = 0.3, 6.1, 0.95, 5.7
    wide = (right - left) / len(kinds)
    for k, kind in enumerate(kinds):
        x, width = left + k * wide, min(0.88 * wide, 2.6)
        shelves = kind.shelves
        step = (top - bottom) / max(6, len(shelves))
        high = step * len(shelves)
        ax.add_patch(
            Rectangle((x, bottom), width, high, facecolor=style.paper, edgecolor=style.ink,
                      linewidth=1.4, zorder=2)
        )  # fmt: skip
        size = min(style.font - 2, step * 72 * 0.6)
        room = max((text_width(shelf, size) for shelf, _ in shelves), default=0.0)
        for row, (shelf, devices) in enumerate(shelves):
            _draw_shelf(ax, (x, bottom + row * step, width, step), shelf, devices, style, room)
        _name_kind(ax, plan, kind, (x, width, bottom + high), style)
    words = {"npu": "NPU", "cpu": "CPU", "switch": "switch", "nic": "NIC"}
    present = {kind for rack in plan.kinds for _, kind in rack.contents}
    for k, sort in enumerate(name for name in words if name in present):
        ax.add_patch(
            Rectangle((left + 0.9 * k, 0.56), 0.14, 0.14, facecolor=style.devices[sort], zorder=3)
        )
        ax.text(
            left + 0.9 * k + 0.2, 0.63, words[sort], ha="left", va="center",
            fontsize=style.font - 1, color=style.ink,
        )  # fmt: skip
    if len(plan.kinds) > len(kinds):
        ax.text(
            left, 0.3, f"and {len(plan.kinds) - len(kinds)} more kinds", fontsize=style.font - 1,
            color=style.faint, va="center",
        )  # fmt: skip


def _draw_shelf(
    ax: Axes, place: tuple[float, float, float, float], shelf: str,
    devices: Sequence[tuple[str, str, int]], style: DrawStyle, room: float,
) -> None:  # fmt: skip
    x, y, width, step = place
    size = min(style.font - 2, step * 72 * 0.6)
    if size >= _SMALLEST:
        ax.text(
            x + 0.05, y + step / 2, shelf, ha="left", va="center", fontsize=size,
            color=style.ink, zorder=4,
        )  # fmt: skip
    total = sum(count for _, _, count in devices)
    start, wide = x + room + 0.08, (width - room - 0.14) / max(total, 8)
    at = 0
    for _, kind, count in devices:
        cells = [
            Rectangle((start + (at + i + 0.08) * wide, y + 0.15 * step), 0.84 * wide, 0.7 * step)
            for i in range(count)
        ]
        at += count
        ax.add_collection(
            PatchCollection(cells, facecolor=style.devices[kind], edgecolor="none", zorder=3),
            autolim=False,
        )
    ax.plot([x, x + width], [y + step] * 2, color=style.grid, linewidth=0.5, zorder=2)


def _name_kind(
    ax: Axes, plan: RackPlan, kind: RackKind, place: tuple[float, float, float], style: DrawStyle
) -> None:
    x, width, top = place
    held = ", ".join(f"{n:,} {plural(w, k, n)}" for (w, k), n in kind.contents.items())
    first, last = kind.racks[0], kind.racks[-1]
    named = first.isdigit()
    which = f"{plan.by} {first}" if named else first
    if len(kind.racks) > 1:
        which = f"{plan.by}s {first} to {last}" if named else f"{first} to {last}"
    times = f"{len(kind.racks):,} × " if len(kind.racks) > 1 else ""
    ax.text(
        x, top + 0.08, wrapped(f"{times}{which}: {held}", style.font - 1, width + 0.1), ha="left",
        va="bottom", fontsize=style.font - 1, color=style.ink, linespacing=1.1,
    )  # fmt: skip


def _draw_floor(ax: Axes, plan: RackPlan, style: DrawStyle) -> None:
    """Draw the racks from above, in rows, with the cables between them."""
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
    _draw_cables(ax, plan, style, spots, tall)
    kind_of = {name: k for k, kind in enumerate(plan.kinds) for name in kind.racks}
    size = min(style.font - 2, wide * 72 / 2.2)
    for name, (x, y) in zip(plan.names, spots, strict=True):
        kind = plan.kinds[kind_of[name]]
        main = min(kind.contents, key=lambda item: _ORDER.index(item[1]) - 9 * (item[1] == "npu"))
        ax.add_patch(
            Rectangle((x - wide / 2, y - tall / 2), wide, tall, facecolor=style.paper,
                      edgecolor=style.devices[main[1]], linewidth=1.6, zorder=4)
        )  # fmt: skip
        if size >= _SMALLEST and text_width(name, size) < across:
            ax.text(x, y, name, ha="center", va="center", fontsize=size, color=style.ink, zorder=5)
    ax.text(
        left, top + 0.1, f"floor plan, not to scale: {plan.by}s and the cables between them",
        fontsize=style.font - 1, color=style.ink, va="bottom",
    )  # fmt: skip


def _draw_cables(
    ax: Axes, plan: RackPlan, style: DrawStyle, spots: Sequence[tuple[float, float]], tall: float
) -> None:
    most = max((float(np.triu(table, 1).max(initial=0.0)) for table in plan.between), default=0.0)
    for medium, table in zip(("copper", "optical"), plan.between, strict=True):
        pairs = np.argwhere(np.triu(table, 1) > 0)
        if not len(pairs) or len(spots) > 4 * _ROW:
            continue
        lines = []
        for a, b in pairs.tolist():
            (x, y), (u, v) = spots[a], spots[b]
            t = np.linspace(0, np.pi, 15)
            rise = min(0.3, 0.05 + 0.05 * abs(u - x)) if abs(y - v) < 1e-9 else 0.0
            lines.append(
                np.c_[
                    x + (u - x) * (1 - np.cos(t)) / 2,
                    y + (v - y) * (1 - np.cos(t)) / 2 + (tall / 2) * (rise > 0) + rise * np.sin(t),
                ]
            )
        widths = 0.3 + 1.7 * np.sqrt(table[pairs[:, 0], pairs[:, 1]] / most)
        ax.add_collection(
            LineCollection(
                lines, colors=[style.media[medium]], linewidths=widths, alpha=0.6, zorder=3,
                linestyles=[style.dashes[medium]], gid=f"cables-{medium}",
            ),
            autolim=False,
        )  # fmt: skip


def _draw_lengths(ax: Axes, plan: RackPlan, style: DrawStyle) -> None:
    """Draw how many cables there are of each length and medium."""
    inner = ax.inset_axes((7.45, 0.75, 5.0, 2.25), transform=ax.transData)
    quiet_axes(inner, style)
    edges = sorted({item.upto for item in plan.lengths})
    most = max((item.count for item in plan.lengths), default=1.0)
    each = 0.38
    for item in plan.lengths:
        place = edges.index(item.upto) + (each / 2 if item.medium == "optical" else -each / 2)
        inner.barh(
            place, item.count, height=each * 0.92, color=style.media[item.medium],
            hatch="///" if item.medium == "optical" else "", edgecolor=style.paper, zorder=3,
        )  # fmt: skip
        inner.annotate(
            f"{item.count:,.0f} {item.medium}, {item.metres:,.0f} m", (item.count, place), (3, 0),
            textcoords="offset points", va="center", fontsize=style.font - 2, color=style.ink,
        )  # fmt: skip
    inner.set_yticks(range(len(edges)), [_upto(edge) for edge in edges], fontsize=style.font - 2)
    inner.set_ylim(-0.6, max(len(edges) - 0.4, 1.6))
    inner.set_xlim(0, most * 1.6)
    inner.xaxis.set_major_locator(MaxNLocator(4))
    inner.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    inner.set_xlabel("links, lanes")
    inner.set_ylabel("length")


def _upto(metres: float) -> str:
    return "longer" if metres == float("inf") else f"≤ {metres:g} m"
