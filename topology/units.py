"""Hold every quantity in SI base units, and read and print them with units.

Inside the library and in every signature quantities are floats in bytes, seconds,
bytes per second (one direction), metres and watts. Write them with the constants:
``56 * GB``, ``200 * ns``, ``64 * MiB``, ``400 * Gbps``. At the border (command line,
spec files, printing) they are strings with a unit, and a bare number is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches

from topology.errors import UnitError, shown

B = 1.0
KB, MB, GB, TB, PB = 1e3, 1e6, 1e9, 1e12, 1e15
KiB, MiB, GiB, TiB = 2.0**10, 2.0**20, 2.0**30, 2.0**40
bps, kbps, Mbps, Gbps, Tbps = 1 / 8, 1e3 / 8, 1e6 / 8, 1e9 / 8, 1e12 / 8
s, ms, us, ns = 1.0, 1e-3, 1e-6, 1e-9
m, mm, cm, km = 1.0, 1e-3, 1e-2, 1e3
W, kW, MW = 1.0, 1e3, 1e6
TFLOPS, PFLOPS = 1e12, 1e15

_SIZES = {
    "B": B, "KB": KB, "kB": KB, "MB": MB, "GB": GB, "TB": TB, "PB": PB,
    "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": TiB,
}  # fmt: skip
_BIT_RATES = {"bps": bps, "kbps": kbps, "Kbps": kbps, "Mbps": Mbps, "Gbps": Gbps, "Tbps": Tbps}
_RATES = (
    {f"{unit}/s": value for unit, value in _SIZES.items()}
    | _BIT_RATES
    | {unit.replace("bps", "b/s"): value for unit, value in _BIT_RATES.items()}
    | {unit.replace("bps", "bit/s"): value for unit, value in _BIT_RATES.items()}
)
_TIMES = {"s": s, "ms": ms, "us": us, "µs": us, "μs": us, "ns": ns}
_LENGTHS = {"m": m, "mm": mm, "cm": cm, "km": km}
_POWERS = {"W": W, "kW": kW, "MW": MW}

_MOST_WHOLE = 10_000
_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)\s*", re.ASCII)


def _parse(text: object, what: str, units: Mapping[str, float], example: str) -> float:
    match = _QUANTITY.fullmatch(text if isinstance(text, str) else shown(text))
    known, said = ", ".join(units), f"{what} {shown(text)}"
    if match is None:
        raise UnitError(f"{said} is not a number with a unit; write it like {example!r}")
    number, unit = match.groups()
    if not unit:
        raise UnitError(f"{said} has no unit; write one of {known} after it, like {example!r}")
    if unit not in units:
        near = get_close_matches(unit, units, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(number + ' ' + one for one in near)}? " if near else ""
        raise UnitError(f"{said} has the unknown unit {shown(unit)}; {hint}known: {known}")
    value = float(number.replace(",", "").replace("_", "")) * units[unit]
    if not math.isfinite(value) or value < 0:
        raise UnitError(f"{said} must be a finite number, zero or more")
    return value


def parse_size(text: object) -> float:
    """Read a size such as ``"64 MiB"`` and return bytes; raise `UnitError` if it is not one."""
    return _parse(text, "size", _SIZES, "64 MiB")


def parse_rate(text: object) -> float:
    """Read a data rate such as ``"400 Gbps"`` or ``"56 GB/s"`` and return bytes/s, one way."""
    return _parse(text, "rate", _RATES, "400 Gbps")


def parse_time(text: object) -> float:
    """Read a time such as ``"1.2 us"`` and return seconds."""
    return _parse(text, "time", _TIMES, "1.2 us")


def parse_length(text: object) -> float:
    """Read a length such as ``"2.5 m"`` and return metres."""
    return _parse(text, "length", _LENGTHS, "2.5 m")


def parse_power(text: object) -> float:
    """Read a power such as ``"8 W"`` and return watts."""
    return _parse(text, "power", _POWERS, "8 W")


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int) -> str:
    if not math.isfinite(value):
        return "unlimited" if value > 0 else "unknown"
    value = float(f"{float(value):.{digits}g}")  # 999.96 ns are 1 us, not 1000 ns
    factor, unit = next((one for one in steps if abs(value) >= one[0] * (1 - 1e-9)), steps[-1])
    return f"{value / factor:.{digits}g} {unit}"


def format_size(value: float) -> str:
    """Print bytes, in the binary unit when that comes out whole: ``"64 MiB"``, ``"49.2 TB"``."""
    binary = ((TiB, "TiB"), (GiB, "GiB"), (MiB, "MiB"), (KiB, "KiB"))
    for factor, unit in binary:
        if factor <= value < _MOST_WHOLE * factor and (value / factor).is_integer():
            return f"{value / factor:.0f} {unit}"
    decimal = ((PB, "PB"), (TB, "TB"), (GB, "GB"), (MB, "MB"), (KB, "KB"), (B, "B"))
    return _scaled(value, decimal, 4)


def format_rate(value: float) -> str:
    """Print bytes/s: ``"393 GB/s"``, ``"75.26 TB/s"``."""
    steps = ((PB, "PB/s"), (TB, "TB/s"), (GB, "GB/s"), (MB, "MB/s"), (KB, "KB/s"), (B, "B/s"))
    return _scaled(value, steps, 4)


def format_time(value: float) -> str:
    """Print seconds: ``"170.8 us"``, ``"350 ns"``."""
    if value == 0:
        return "0 s"
    return _scaled(value, ((s, "s"), (ms, "ms"), (us, "us"), (ns, "ns")), 4)


def format_power(value: float) -> str:
    """Print watts: ``"559 kW"``."""
    return _scaled(value, ((MW, "MW"), (kW, "kW"), (W, "W")), 4)


def format_percent(fraction: float) -> str:
    """Print a fraction as a percentage: ``"98.2 %"``, ``"100 %"``; 0.9996 is ``">99.9 %"``."""
    if 0.9995 <= fraction < 1 - 1e-6:  # would be rounded to all of it
        return ">99.9 %"
    return f"{100 * fraction:.1f}".removesuffix(".0") + " %"
