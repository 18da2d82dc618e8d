"""Lay out what an analysis found as tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from collectives.analysis import explain
from collectives.analysis.bottleneck import LinkClass
from collectives.timing import Latency
from topology import units
from topology.text import Table


def links_table(rows: Iterable[LinkClass]) -> Table:
    """Return the links by class with their utilisation."""
    return Table(
        "links by class",
        ("class", "medium", "links", "each, one way", "most loaded", "utilisation", "mean"),
        [
            (
                row.name,
                row.medium,
                f"{row.links:,}",
                explain.capacity(row),
                units.format_size(round(row.load)),
                units.format_percent(row.utilisation),
                units.format_percent(row.mean),
            )
            for row in rows
        ],
    )


def latency_table(latency: Latency) -> Table:
    """Return where the time goes."""
    total = latency.total
    rows = []
    for part in fields(latency):
        value = getattr(latency, part.name)
        share = units.format_percent(value / total) if total > 0 else "0 %"
        rows.append((part.name, units.format_time(value), share))
    return Table("time on the critical path", ("part", "time", "share"), rows)
