"""Fit a stack's time formula to measured times: robust, in the logarithm, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as student

from topology.fabric import FloatArray

_TELLS = np.log(1e5)  # beyond this a constant is left out; sooner, that would bend the others
_FAR = 1.5  # standard deviations from which a point counts less and less
_GAIN = 4.0  # by how much a floor must lower the sum of squares, in variances
_LEAST_NOISE = 1e-3


@dataclass(frozen=True, eq=False)
class Terms:
    """What a stack takes at measured sizes, in parts; arrays of shape (k,).

    Attributes
    ----------
    sizes
        Bytes.
    software, per_byte, fill
        As `Deployed.terms`.
    added, floor
        Seconds that the launch adds, and takes at least.
    ideal
        Seconds of perfect software.
    """

    sizes: FloatArray
    software: FloatArray
    per_byte: FloatArray
    fill: FloatArray
    added: float
    floor: float
    ideal: FloatArray

    def time(self, **constants: float) -> FloatArray:
        """Return seconds with constants of a stack file in the place of the stack's own."""
        fill = self.fill * constants.get("fill", 1.0)
        fill = fill + np.sqrt(constants.get("half", 0.0) * self.sizes)
        moving = (self.sizes + fill) * self.per_byte / constants.get("bandwidth", 1.0)
        found = self.software * constants.get("fixed", 1.0) + moving + self.added
        least = np.maximum(self.ideal, constants.get("floor", self.floor))
        result: FloatArray = np.maximum(found, least)
        return result


@dataclass(frozen=True, eq=False)
class Fit:
    """Constants that were fitted.

    Attributes
    ----------
    values, widths
        Of each constant: its value, and by which factor either way the 95 % interval goes.
    residuals
        log(measured / fitted), shape (k,).
    noise
        Their standard deviation, whatever outliers there are.
    """

    values: dict[str, float]
    widths: dict[str, float]
    residuals: FloatArray
    noise: float

    def interval(self, name: str) -> tuple[float, float, float]:
        """Return a constant and the ends of its 95 % interval."""
        value, width = self.values[name], self.widths[name]
        return value, value / width, value * width


def fit(terms: Terms, seconds: FloatArray, names: Sequence[str]) -> Fit:
    """Fit as many of the constants as the times can tell; the others stay what they are.

    Parameters
    ----------
    terms
        What the stack takes.
    seconds
        What was measured, shape (k,).
    names
        Constants of `Terms.time`, without the floor, which is fitted where it helps.
    """
    most = len(np.unique(terms.sizes)) - 1
    plain = _told(terms, seconds, list(names), most)
    floored = _told(terms, seconds, [*names, "floor"], most)
    if "floor" not in floored.values:
        return plain
    gain = (_size(plain) - _size(floored)) / max(floored.noise, _LEAST_NOISE) ** 2
    more = len(floored.values) - len(plain.values)
    return floored if gain > _GAIN * max(1, more) else plain


def _size(found: Fit) -> float:
    """Return the sum of squares, with what is far away counting as what is at three deviations."""
    return float((np.clip(found.residuals, -0.3, 0.3) ** 2).sum())


def _told(terms: Terms, seconds: FloatArray, names: list[str], most: int) -> Fit:
    """Fit, and leave out what cannot be told, the widest first."""
    while True:
        found = _fit(terms, seconds, names)
        widths = {name: np.log(found.widths[name]) for name in names}
        worst = max(names, key=lambda name: widths[name], default="")
        if not names or (widths[worst] <= _TELLS and len(names) <= most):
            return found
        names = [name for name in names if name != worst]


def _fit(terms: Terms, seconds: FloatArray, names: Sequence[str]) -> Fit:
    logs = np.log(seconds)

    def off(x: FloatArray) -> FloatArray:
        values = dict(zip(names, np.exp(x).tolist(), strict=True))
        found: FloatArray = logs - np.log(terms.time(**values))
        return found

    if not names:
        return Fit({}, {}, off(np.empty(0)), _noise(off(np.empty(0)), 0))
    start = np.log([_start(name, terms, seconds) for name in names])
    scale = 0.1
    for _ in range(3):  # the scale of the noise and the fit, in turn
        found = least_squares(off, start, loss="soft_l1", f_scale=_FAR * scale,
                              bounds=(start - 12, start + 12))  # fmt: skip
        start = np.clip(found.x, start - 11.9, start + 11.9)
        scale = max(_noise(off(found.x), len(names)), _LEAST_NOISE)
    residuals = off(found.x)
    covered = _covariance(off, found.x, residuals, scale)
    quantile = float(student.ppf(0.975, max(1, len(seconds) - len(names))))
    wide = np.exp(np.minimum(quantile * np.sqrt(np.diag(covered)), 50.0))
    return Fit(
        dict(zip(names, np.exp(found.x).tolist(), strict=True)),
        dict(zip(names, wide.tolist(), strict=True)), residuals, scale,
    )  # fmt: skip


def _start(name: str, terms: Terms, seconds: FloatArray) -> float:
    if name == "floor":
        return max(terms.floor, 0.97 * float(np.median(seconds[: max(3, len(seconds) // 6)])))
    if name == "bandwidth":
        return float(terms.sizes[-1] * terms.per_byte[-1] / seconds[-1])
    if name == "half":
        middle = float(np.median(terms.software / terms.per_byte))
        return max(1.0, middle / 4)
    return 1.0


def _noise(residuals: FloatArray, fitted: int) -> float:
    """Return the standard deviation by the median of the distances: outliers do not count."""
    k = len(residuals)
    return float(1.4826 * np.median(np.abs(residuals)) * np.sqrt(k / max(1, k - fitted)))


def _covariance(
    off: Callable[[FloatArray], FloatArray], x: FloatArray, residuals: FloatArray, scale: float
) -> FloatArray:
    """Return the covariance of an M-estimate (Huber, Robust Statistics, 1981, section 7.6)."""
    steps = 1e-4 * np.eye(len(x))
    slopes = np.array([(off(x + step) - off(x - step)) / 2e-4 for step in steps]).T
    z = residuals / (_FAR * scale)
    pull, bend = residuals / np.sqrt(1 + z**2), (1 + z**2) ** -1.5
    free = max(1, len(residuals) - len(x))
    variance = (pull**2).sum() / free / max(bend.mean(), 0.1) ** 2
    variance *= (1 + len(x) / len(bend) * bend.var() / bend.mean() ** 2) ** 2  # his K, eq. 6.8
    normal = slopes.T @ slopes
    kept = 1e-12 * max(1e-12, float(np.trace(normal)))
    found: FloatArray = variance * np.linalg.inv(normal + kept * np.eye(len(x)))
    return found
