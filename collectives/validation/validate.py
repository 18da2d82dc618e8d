"""Compare every published measurement with the model: the stack, perfect software, the bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp, log
from typing import Any

import numpy as np

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.model.schedule import Progress
from collectives.stacks import CLASSES, Stack, domains, size_class
from collectives.stacks import stack as stack_on
from collectives.validation.measurements import MOE, TRANSFERS, Measurement, measurements
from collectives.workloads.moe import analyze_moe
from collectives.workloads.moe_traffic import MoELayer
from topology import border
from topology.conversion import from_networkx
from topology.errors import SupernodeError
from topology.supernode import Supernode
from topology.systems import system
from topology.text import Part, Printed, Table, counted
from topology.units import GiB, format_percent, format_size, format_time


@dataclass(frozen=True, repr=False)
class Compared(Printed):
    """A measurement beside the model.

    Attributes
    ----------
    measurement
        What was measured.
    generation
        Of the NPUs, as the stack calls it.
    way
        With which algorithm and protocol the model has it.
    size
        S in bytes, as the measurement counts it.
    seconds, time
        Seconds measured, and that the stack takes.
    found
        The analysis that says so.
    fitted
        Whether a constant was fitted on it.
    """

    measurement: Measurement
    generation: str
    way: str
    size: float
    seconds: float
    time: float
    found: Analysis
    fitted: bool

    @property
    def ideal(self) -> float:
        """Return seconds that perfect software takes."""
        return self.found.ideal.time

    @property
    def bound(self) -> float:
        """Return seconds that anything takes at least."""
        return self.found.bound.time

    @property
    def error(self) -> float:
        """Return model time over measured time, less 1."""
        return self.time / self.seconds - 1

    def parts(self) -> list[Part]:
        """Return what people read."""
        return [f"{self.measurement}", f"model {format_time(self.time)} by {self.way}"]


@dataclass(frozen=True, repr=False)
class Validation(Printed):
    """Every published measurement beside the model.

    Attributes
    ----------
    rows
        Those that the model answers.
    left_out
        Why it does not answer the others, by run.
    """

    rows: tuple[Compared, ...]
    left_out: dict[str, str]

    def means(self, *, fitted: bool = False) -> dict[tuple[str, str, str], tuple[int, float]]:
        """Return how many measurements there are and their geometric mean error.

        By stack, generation and size class; those of faulty machines do not count, and those
        that constants were fitted on only if asked for.
        """
        found: dict[tuple[str, str, str], list[float]] = {}
        for row in self.rows:
            if row.fitted == fitted and row.measurement.healthy:
                key = row.measurement.stack, row.generation, size_class(row.size)
                found.setdefault(key, []).append(row.time / row.seconds)
        return {key: (len(ratios), mean_error(ratios)) for key, ratios in sorted(found.items())}

    @property
    def above_bound(self) -> tuple[Compared, ...]:
        """Return measurements that are faster than the bound: faults of the model, or theirs."""
        return tuple(row for row in self.rows if row.seconds < row.bound * (1 - 1e-3))

    def parts(self) -> list[Part]:
        """Return what people read: the mean errors, then every row."""
        counted_rows = [row for row in self.rows if row.measurement.healthy and not row.fitted]
        whole = mean_error([row.time / row.seconds for row in counted_rows])
        first = (
            f"{counted(len(counted_rows), 'published measurement')} from "
            f"{counted(len({row.measurement.source for row in counted_rows}), 'source')}, "
            f"geometric mean error {format_percent(whole)}"
        )
        parts: list[Part] = [first, self._table(fitted=False)]
        if any(row.fitted for row in self.rows):
            parts.append(self._table(fitted=True))
        rows = [_said(row) for row in self.rows]
        headers = (
            "run",
            "size",
            "measured",
            "model",
            "error",
            "as",
            "perfect software",
            "bound",
            "",
        )
        parts.append(Table("every measurement", headers, rows))
        if self.left_out:
            parts.append(Table("not answered", ("run", "why"), list(self.left_out.items())))
        return parts

    def _table(self, *, fitted: bool) -> Table:
        means = self.means(fitted=fitted)
        sorts = sorted({key[:2] for key in means})
        names = [name for name, _ in CLASSES]
        rows = [(*sort, *(_cell(means.get((*sort, name))) for name in names)) for sort in sorts]
        title = "that constants were fitted on" if fitted else "geometric mean error (measurements)"
        return Table(title, ("stack", "NPUs", *names), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "means": [
                {"stack": stack, "generation": generation, "size_class": sizes,
                 "measurements": count, "geometric_mean_error": error}
                for (stack, generation, sizes), (count, error) in self.means().items()
            ],
            "measurements": [
                {
                    "run": row.measurement.run, "machine": row.measurement.machine,
                    "collective": row.measurement.collective, "stack": row.measurement.stack,
                    "size_bytes": row.size, "ranks": row.measurement.ranks,
                    "measured_s": row.seconds, "time_s": row.time, "way": row.way,
                    "ideal_s": row.ideal, "bound_s": row.bound, "error": row.error,
                    "fitted": row.fitted, "source": row.measurement.source,
                }
                for row in self.rows
            ],
            "left_out": self.left_out,
        }  # fmt: skip


def mean_error(ratios: Sequence[float]) -> float:
    """Return the geometric mean of how far ratios are from 1, either way."""
    return exp(float(np.mean([abs(log(ratio)) for ratio in ratios]))) - 1 if ratios else 0.0


def _cell(found: tuple[int, float] | None) -> str:
    return "" if found is None else f"{format_percent(found[1])} ({found[0]})"


def _said(row: Compared) -> tuple[str, ...]:
    one = row.measurement
    notes = [word for word, true in (("fitted", row.fitted), ("faulty", not one.healthy)) if true]
    return (
        one.run, format_size(round(row.size)), format_time(row.seconds),
        format_time(row.time), f"{row.error:+.0%}", row.way, format_time(row.ideal),
        format_time(row.bound), ", ".join(notes),
    )  # fmt: skip


def validate(
    stack: str | None = None,
    *,
    given: Iterable[Measurement] | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Compare every published measurement with the model.

    Parameters
    ----------
    stack
        Only those of one stack, by name.
    given
        Measurements; by default those the library knows.
    progress
        Called with what is being done and the fraction done.
    """
    every = [one for one in (measurements() if given is None else given)
             if stack in (None, one.stack)]  # fmt: skip
    runs = [list(rows) for _, rows in groupby(every, key=lambda one: one.run)]
    machines: dict[str, Supernode] = {}
    rows: list[Compared] = []
    left_out: dict[str, str] = {}
    for done, run in enumerate(runs):
        first = run[0]
        if progress is not None:
            progress(first.run, done / len(runs))
        try:
            if first.machine not in machines:
                name, parameters = border.named(first.machine, "dgx-h100:nodes=2")
                machines[first.machine] = system(name, **parameters)
            rows += _compared(machines[first.machine], run)
        except SupernodeError as error:
            left_out[first.run] = str(error)
    return Validation(tuple(rows), left_out)


def _compared(machine: Supernode, run: Sequence[Measurement]) -> list[Compared]:
    """Return the measurements of one run beside the model."""
    first = run[0]
    if first.collective in TRANSFERS:
        machine = _two_ends(machine, first)
    ranks = range(first.ranks)
    runs_on = stack_on(first.stack, machine, ranks, first.launch or None)
    if runs_on is None:
        raise SupernodeError("perfect software is not measured")
    if first.collective in MOE:
        phases = [_phase(machine, one, runs_on) for one in run]
        own, sizes = [found for found, _ in phases], [size for _, size in phases]
    else:
        own = _plain(machine, run, runs_on)
        sizes = [one.size or _LARGE for one in run]
    return [
        Compared(
            one, runs_on.generation, stacked.cost.steps[0].phase, size, one.took(size),
            stacked.time, stacked, one.name in runs_on.fitted_on,
        )
        for one, size, stacked in zip(run, sizes, own, strict=True)
    ]  # fmt: skip


def _plain(machine: Supernode, run: Sequence[Measurement], stack: Stack | None) -> list[Analysis]:
    first = run[0]
    endpoint: dict[str, Any] = {}  # of a transfer, what is measured is the endpoint's own
    kind, way = first.collective, f"{first.algorithm} {first.protocol}".strip()
    if kind in TRANSFERS:
        host = "host-" if first.options["path"].endswith("cpu") else ""
        kind, way = "broadcast", host + kind
        endpoint = {"alpha": 0.0, "message": 0.0}
    return analyze_sizes(
        machine, kind, [one.size or _LARGE for one in run], ranks=range(first.ranks),
        algorithm=way if way and stack is not None else "auto", stack=stack,
        **endpoint,
    )  # fmt: skip


def _two_ends(machine: Supernode, one: Measurement) -> Supernode:
    """Return a machine as the two ends of a transfer see it: its first NPU, and the other end."""
    graph, first = machine.graph, machine.npus[0]
    kind = one.options["path"].rpartition("-")[2]
    near = {first, *graph.successors(first)}
    inside = one.options["between"] == "intra-node"
    other = next(
        node for node, data in graph.nodes(data=True)
        if data["kind"] == kind and node not in near
        and (data["node"] == graph.nodes[first]["node"]) is inside
    )  # fmt: skip
    return from_networkx(graph, npus=[first, other], name=machine.name)


_LARGE = GiB  # of transfers whose bandwidth alone is printed
_LAYER = ("tokens", "hidden", "top_k", "experts")
_GROUPS = 8  # of DeepSeek-V3's experts, of which a token uses so many as a row says


def _phase(machine: Supernode, one: Measurement, stack: Stack | None) -> tuple[Analysis, float]:
    """Return dispatch or combine as DeepEP sends it, and the bytes that its bandwidth counts.

    Its low-latency kernels send a token for every expert; its normal ones once to a node, or,
    inside one, once to a rank, and count as often.
    """
    groups, phase = one.options.get("groups"), one.collective.removeprefix("moe_")
    tokens, hidden, top_k, experts = (int(one.options[name]) for name in _LAYER)
    layer = MoELayer(
        tokens, hidden, top_k, experts, expert_groups=_GROUPS if groups else 1,
        top_groups=int(groups) if groups else None,
    )  # fmt: skip
    ranks = range(one.ranks)
    dedup = "none"
    if one.options.get("mode") != "low-latency":
        dedup = "node" if len(np.unique(domains(machine.fabric)[ranks])) > 1 else "rank"
    found = analyze_moe(machine, layer, ranks=ranks, dedup=dedup, stack=stack)
    each = {
        "none": float(layer.top_k),
        "rank": found.copies.ranks_per_token,
        "node": found.copies.nodes_per_token,
    }[dedup]
    counted_bytes = layer.tokens * layer.token_bytes(phase) * each
    return dict(found.phases)[phase], counted_bytes
