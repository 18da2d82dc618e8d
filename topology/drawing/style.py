"""Say how pictures look: one colour means one thing in every figure.

The colours of devices, media and series are those of Okabe and Ito, which people who do not tell
red from green keep apart. The ramp for utilisation runs steadily in lightness, so it reads in
grey; media differ by line style too, series by line style and marker.

References
----------
M. Okabe, K. Ito, *Color Universal Design*, University of Tokyo, 2008.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from matplotlib.colors import Colormap, LinearSegmentedColormap

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


def _frozen(**colours: str) -> Mapping[str, str]:
    return MappingProxyType(colours)


LIGHT = DrawStyle(
    name="light",
    paper="#ffffff", ink="#1b1b1b", faint="#5f5f5f", grid="#dedede",
    devices=_frozen(npu="#0072b2", cpu="#8a8a8a", switch="#56b4e9", nic="#cc79a7"),
    media=_frozen(copper="#d55e00", optical="#009e73"),
    ramp=("#e9e6dc", "#f3c067", "#dd6b22", "#9c1c2c", "#3d0618"),
    parts=_frozen(
        endpoint="#5f5f5f", serialisation="#9c1c2c", switches="#56b4e9",
        propagation="#009e73", transceivers="#e69f00", fec="#cc79a7",
    ),
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1b1b1b"),
    worst="#1b1b1b", absent="#ffffff",
)  # fmt: skip
DARK = DrawStyle(
    name="dark",
    paper="#14171c", ink="#f0f0f0", faint="#a8adb5", grid="#343941",
    devices=_frozen(npu="#4aa8e0", cpu="#9aa0a8", switch="#8fd0f5", nic="#e0a0c4"),
    media=_frozen(copper="#f08a3c", optical="#33c79b"),
    ramp=("#333a46", "#71405f", "#c6502c", "#f2a83a", "#fff6c8"),
    parts=_frozen(
        endpoint="#a8adb5", serialisation="#f2a83a", switches="#8fd0f5",
        propagation="#33c79b", transceivers="#e69f00", fec="#e0a0c4",
    ),
    series=("#4aa8e0", "#f08a3c", "#33c79b", "#e0a0c4", "#f2c14e", "#8fd0f5", "#f0f0f0"),
    worst="#ffffff", absent="#14171c",
)  # fmt: skip
PRINT = DrawStyle(
    name="print",
    paper="#ffffff", ink="#000000", faint="#404040", grid="#d0d0d0",
    devices=_frozen(npu="#303030", cpu="#a0a0a0", switch="#707070", nic="#c8c8c8"),
    media=_frozen(copper="#202020", optical="#707070"),
    ramp=("#eeeeee", "#c0c0c0", "#8a8a8a", "#4c4c4c", "#000000"),
    parts=_frozen(
        endpoint="#d8d8d8", serialisation="#202020", switches="#a8a8a8",
        propagation="#707070", transceivers="#909090", fec="#505050",
    ),
    series=("#000000", "#6a6a6a", "#000000", "#6a6a6a", "#000000", "#6a6a6a", "#000000"),
    worst="#000000", absent="#ffffff",
)  # fmt: skip
STYLES: Mapping[str, DrawStyle] = MappingProxyType({s.name: s for s in (LIGHT, DARK, PRINT)})
"""Every style by name."""

LINE_STYLES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "solid", (0, (6, 2)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)), (0, (4, 4)),
)  # fmt: skip
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X")


def draw_style(style: str | DrawStyle) -> DrawStyle:
    """Return a style by name, or itself; raise `UnknownNameError` if there is none."""
    return style if isinstance(style, DrawStyle) else known_as("style", style, STYLES)
