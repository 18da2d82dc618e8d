"""Calibrate a stack on a measured curve: what is fixed, what bandwidth, what fills the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from collectives.analysis.analyze import analyze_sizes
from collectives.analysis.answer import Analysis
from collectives.model.schedule import Progress
from collectives.stacks import Deployed, Stack
from collectives.stacks import stack as stack_on
from collectives.stacks.files import stack_text
from collectives.validation.curves import Curve, CurveError, read_curve
from collectives.validation.fit import Fit, Terms, fit
from topology import files, units
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.supernode import Supernode
from topology.text import Part, Printed, Table

_OUTLYING, _CLEARLY = 4.0, 0.15  # standard deviations, and of the time
_POOR = 0.15
_WORDS = {
    "floor": "launch floor",
    "fixed": "α: fixed time, times the stack's",
    "bandwidth": "β: bandwidth, times the stack's",
    "fill": "n½: pipeline fill, times the stack's",
    "half": "n½: bytes h of sqrt(h x S) more",
}
_NEEDS = {
    "floor": "calls so small that their time is the same, where it is above the stack's",
    "fixed": "sizes small enough that the time hardly grows with them",
    "bandwidth": "sizes large enough that the time grows in proportion",
    "fill": "several sizes in between",
    "half": "several sizes in between",
}


@dataclass(frozen=True, repr=False, eq=False)
class Calibration(Printed):
    """A stack fitted to a measured curve.

    Attributes
    ----------
    curve
        What was measured.
    machine
        On which.
    base
        The stack that was fitted.
    terms, found
        What it takes, and the constants that were fitted.
    names
        The constants that were tried, besides the floor.
    ways
        With which algorithm and protocol the stack runs each size.
    """

    curve: Curve
    machine: str
    base: Stack
    terms: Terms
    found: Fit
    names: tuple[str, ...]
    ways: tuple[str, ...]

    @property
    def fitted(self) -> FloatArray:
        """Return seconds that the calibrated stack takes at each point, shape (k,)."""
        return self.terms.time(**self.found.values)

    @property
    def error(self) -> float:
        """Return the geometric mean of how far the points are from it."""
        return float(np.exp(np.abs(self.found.residuals).mean()) - 1)

    @property
    def outliers(self) -> tuple[int, ...]:
        """Return the places of points that are far from it where the others are not."""
        off = np.abs(self.found.residuals)
        far = max(_OUTLYING * self.found.noise, np.log1p(_CLEARLY))
        return tuple(np.flatnonzero(off > far).tolist())

    @property
    def left(self) -> tuple[str, ...]:
        """Return the constants that the curve cannot tell."""
        return tuple(name for name in self.names if name not in self.found.values)

    @property
    def departs(self) -> str:
        """Say where no setting fits the curve; empty where it fits."""
        off = self.found.residuals
        far = np.abs(off) > np.log1p(_POOR)
        if self.found.noise <= np.log1p(_POOR) and far.mean() < 0.2:
            return ""
        worst = int(np.argmax(np.abs(off)))
        ends = [units.format_size(float(self.curve.sizes[at]))
                for at in (np.flatnonzero(far)[0], np.flatnonzero(far)[-1])]  # fmt: skip
        return (
            f"no setting of {self.base.title} fits well: {far.sum()} of {len(off)} points from "
            f"{ends[0]} to {ends[1]} are more than {_POOR:.0%} off, most of all at "
            f"{units.format_size(float(self.curve.sizes[worst]))} ({np.expm1(off[worst]):+.0%}); "
            "another algorithm or a fault there, or another machine"
        )

    @property
    def text(self) -> str:
        """Return the stack file."""
        count = len(self.curve.sizes)
        head: dict[str, str | float] = {
            "stack": self.base.name, "generation": self.base.generation,
            "launch": self.base.launch,
            "source": f"calibrated on {self.curve.source}: {self.curve.collective}, "
            f"{self.curve.ranks} ranks of {self.machine}, {self.curve.span}",
            "date": date.today().isoformat(), "measurements": count, "error": self.error,
        }  # fmt: skip
        found = {name: self.found.interval(name) for name in self.found.values}
        tables: list[dict[str, str | tuple[float, ...]]] = []
        if "floor" in found:
            tables.append({"launch": self.base.launch, "floor": found.pop("floor")})
        return stack_text(head, [*tables, {**found}] if found else tables)

    def write(self, path: str | Path) -> Path:
        """Write the stack file, which is a stack wherever one is taken, and return its path."""
        if not str(path).lower().endswith(".toml"):
            raise SupernodeError(f"{path} is no name of a stack file; end it in .toml")
        return files.write_text(path, self.text)

    def parts(self) -> list[Part]:
        """Return what people read."""
        rows = [
            (_WORDS[name], *(_said(name, one) for one in self.found.interval(name)))
            for name in self.found.values
        ]
        said: list[Part] = [
            f"{self.base.title} on {self.machine}, calibrated on {self.curve.source}: "
            f"{self.curve.span}, {units.format_percent(self.error)} off in the geometric mean",
            Table("fitted", ("", "value", "95 % from", "to"), rows),
        ]
        if self.left:
            left = [(_WORDS[name], f"needs {_NEEDS[name]}") for name in self.left]
            said.append(Table("left as it was: the curve cannot tell", ("", ""), left))
        if self.departs:
            said.append(self.departs)
        elif self.outliers:
            said.append(Table("outliers", ("size", "measured", "fitted"), self._outlying()))
        return said

    def _outlying(self) -> list[tuple[str, str, str]]:
        sizes, seconds, fitted = self.curve.sizes, self.curve.seconds, self.fitted
        return [
            (units.format_size(float(sizes[at])), units.format_time(float(seconds[at])),
             units.format_time(float(fitted[at])))
            for at in self.outliers
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, in SI units, for JSON."""
        return {
            "machine": self.machine, "stack": self.base.name, "launch": self.base.launch,
            "source": self.curve.source, "collective": self.curve.collective,
            "ranks": self.curve.ranks, "geometric_mean_error": self.error,
            "constants": {
                name: dict(zip(("value", "low", "high"), self.found.interval(name), strict=True))
                for name in self.found.values
            },
            "left": list(self.left), "departs": self.departs or None,
            "points": [
                {"size_bytes": size, "measured_s": seconds, "fitted_s": fitted, "way": way,
                 "outlier": at in self.outliers}
                for at, (size, seconds, fitted, way) in enumerate(zip(
                    self.curve.sizes.tolist(), self.curve.seconds.tolist(), self.fitted.tolist(),
                    self.ways, strict=True))
            ],
        }  # fmt: skip


def _said(name: str, value: float) -> str:
    if name == "floor":
        return units.format_time(value)
    return units.format_size(float(f"{value:.4g}")) if name == "half" else f"{value:.4g}"


def calibrate(
    machine: Supernode,
    measured: str | Path | Curve,
    *,
    collective: str | None = None,
    stack: str | Stack = "nccl",
    ranks: int | None = None,
    launch: str | None = None,
    algorithm: str = "auto",
    progress: Progress | None = None,
) -> Calibration:
    """Fit a stack's constants to a measured curve, by robust least squares in the logarithm.

    Fitted are factors of the stack's fixed time (α), of its bandwidth (β) and of what fills its
    pipeline (n½; bytes of its own where the stack's algorithms have none), and the launch floor
    where the curve shows one. What the curve cannot tell stays as it is.

    Parameters
    ----------
    machine
        On which it was measured.
    measured
        A file that `read_curve` reads, or a curve.
    collective, ranks
        What the file does not say; by default the machine's NPUs, the first of them.
    stack
        The stack that ran it, one of the library's.
    launch
        How its processes were launched.
    algorithm
        The stack's algorithm, if its own choice was overruled.
    progress
        Called with what is being done and the fraction done.

    Raises
    ------
    SupernodeError
        If there are fewer than two different sizes, or nothing can be told.
    """
    given = measured if isinstance(measured, Curve) else (
        read_curve(measured, collective=collective, ranks=ranks)
    )  # fmt: skip
    kind = given.collective or collective
    if not kind:
        raise CurveError(f"{given.source} does not say which collective it is; give collective=")
    curve = replace(given, collective=kind, ranks=given.ranks or ranks or len(machine.npus))
    if curve.ranks > len(machine.npus):
        have = len(machine.npus)
        raise CurveError(f"{curve.source}: {curve.ranks} ranks, and {machine.title} has {have}")
    if curve.sizes[0] == curve.sizes[-1]:
        raise CurveError(
            f"{curve.source} has {curve.span}: fixed time and bandwidth cannot be told apart; "
            "measure small sizes, where the time hardly grows, and large ones, to 1 GiB"
        )
    base = stack_on(stack, machine, range(curve.ranks), launch)
    if base is None or base.origin is not None:
        raise SupernodeError("calibrate takes one of the library's own stacks, such as nccl")
    found = analyze_sizes(
        machine, kind, curve.sizes.tolist(), ranks=range(curve.ranks), stack=base,
        algorithm=algorithm, progress=progress,
    )  # fmt: skip
    terms = _terms(base, found, curve.sizes)
    names = ("fixed", "bandwidth", "fill" if terms.fill.any() else "half")
    ways = tuple(one.cost.steps[0].phase for one in found)
    fitted = fit(terms, curve.seconds, names)
    if not fitted.values:
        raise CurveError(
            f"{curve.source}: {curve.span} tell no constant of {base.title}; measure more sizes, "
            "from 1 KiB to 8 GiB"
        )
    return Calibration(curve, machine.name, base, terms, fitted, names, ways)


def _terms(base: Stack, analyses: list[Analysis], sizes: FloatArray) -> Terms:
    parts, ideal = [], []
    for one, size in zip(analyses, sizes.tolist(), strict=True):
        engine = one.plan.engine
        if not isinstance(engine, Deployed):
            raise SupernodeError(f"{base.title} carries nothing out here that could be fitted")
        parts.append(engine.terms(size))
        ideal.append(engine.plan.time(size))
    software, per_byte, fill = np.array(parts, dtype=float).T
    return Terms(sizes, software, per_byte, fill, base.launch_time("added"),
                 base.launch_time("floor"), np.array(ideal))  # fmt: skip
