"""Print the figures of the catalogue: their names in words, and their values with units."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence

from topology import files, units

_WORDS: Mapping[str, str] = dict(csv.reader(files.own_text("figures.csv").splitlines()))
_BYTES = ((units.PB, "PB"), (units.TB, "TB"), (units.GB, "GB"))
_FLOPS = ((1e18, "EFLOPS"), (1e15, "PFLOPS"), (1e12, "TFLOPS"))
_PRINTERS: Mapping[str, Callable[[float], str]] = {
    "B/s": units.format_rate,
    "B": lambda value: _scaled(value, _BYTES),
    "s": units.format_time,
    "W": units.format_power,
    "m": lambda value: f"{value:g} m",
    "s/m": lambda value: f"{value / units.ns:g} ns/m",
    "FLOP/s": lambda value: _scaled(value, _FLOPS),
    "USD": lambda value: f"{value:,.0f} USD",
    "FIT": lambda value: f"{value:g} FIT",
}

_YES_OR_NO = ("reduces", "multicasts")


def figure_name(name: str) -> str:
    """Return a figure's name in words."""
    return _WORDS.get(name, name.replace("_", " "))


def figure_text(name: str, value: float, unit: str) -> str:
    """Return a figure's value with its unit."""
    if name in _YES_OR_NO:
        return "yes" if value else "no"
    printer = _PRINTERS.get(unit)
    return printer(value) if printer else f"{value:,g}"


def _scaled(value: float, steps: Sequence[tuple[float, str]]) -> str:
    factor, unit = next((step for step in steps if value >= step[0]), steps[-1])
    return f"{value / factor:.5g} {unit}"
