"""Say how pictures look: one colour means one thing in every figure.

The colours of devices, media and series are those of Okabe and Ito, which people who do not tell
red from green keep apart. The ramp for utilisation runs steadily in lightness, so it reads in
grey; media differ by line style too, series by line style and marker.

References
----------
M. Okabe, K. Ito, *Color Universal Design*, University of Tokyo, 2008.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from matplotlib.colors import Colormap, LinearSegmentedColormap

from topology import files
from topology.errors import known_as

_DASHES: Mapping[str, tuple[int, tuple[float, ...]]] = MappingProxyType(
    {"copper": (0, ()), "optical": (0, (4.0, 1.6))}
)


@dataclass(frozen=True)
class DrawStyle:
    """How pictures look.

    Attributes
    ----------
    name
        "light", "dark" or "print".
    paper, ink, faint, grid
        Background, text, secondary text, lines that only help.
    devices
        Colour of an NPU, CPU, switch and NIC.
    media
        Colour of copper and optical links, where links are not coloured by utilisation.
    ramp
        Colours of utilisation from 0 to 100 %.
    parts
        Colour of each part of the latency.
    series
        Colours of lines that stand for algorithms or machines, in order.
    worst
        Outline of what limits.
    absent
        What is not there.
    font
        Size of the text in points.
    """

    name: str
    paper: str
    ink: str
    faint: str
    grid: str
    devices: Mapping[str, str]
    media: Mapping[str, str]
    ramp: tuple[str, ...]
    parts: Mapping[str, str]
    series: tuple[str, ...]
    worst: str
    absent: str
    font: float = 9.0
    dashes: Mapping[str, tuple[int, tuple[float, ...]]] = field(default_factory=lambda: _DASHES)

    @property
    def colormap(self) -> Colormap:
        """Return the ramp of utilisation, 0 to 1; cells that are not there are left bare."""
        made = LinearSegmentedColormap.from_list(f"utilisation-{self.name}", self.ramp)
        return made.with_extremes(bad=self.absent)

    def line(self, k: int) -> dict[str, Any]:
        """Return colour and line style of the k-th series."""
        dashes = LINE_STYLES[k % len(LINE_STYLES)]
        return {"color": self.series[k % len(self.series)], "linestyle": dashes}

    def shade(self, utilisation: float) -> tuple[float, float, float, float]:
        """Return the colour of a utilisation from 0 to 1."""
        red, green, blue, alpha = self.colormap(min(1.0, max(0.0, utilisation)))
        return (float(red), float(green), float(blue), float(alpha))


def _styles() -> Mapping[str, DrawStyle]:
    """Return every style by name, from the library's table of colours."""
    found = {}
    for name, row in tomllib.loads(files.own_text("styles.toml")).items():
        looks: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        for sort in ("devices", "media", "parts"):
            looks[sort] = MappingProxyType(looks[sort])
        found[name] = DrawStyle(name, **looks)
    return MappingProxyType(found)


STYLES: Mapping[str, DrawStyle] = _styles()
"""Every style by name."""

LINE_STYLES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "solid", (0, (6, 2)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)), (0, (4, 4)),
)  # fmt: skip
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X")


def draw_style(style: str | DrawStyle) -> DrawStyle:
    """Return a style by name, or itself; raise `UnknownNameError` if there is none."""
    return style if isinstance(style, DrawStyle) else known_as("style", style, STYLES)
