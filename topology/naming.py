"""Order and name nodes by their structured ids: ``npu/0``, ``l1/12/3``, ``l2/3/15``."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt

from topology.errors import shown

_DIGITS = re.compile(r"(\d{1,4000})")
_LABELS = {
    "npu": "NPU", "gpu": "GPU", "cpu": "CPU", "nic": "NIC", "l1": "L1", "l2": "L2", "l3": "L3",
    "nvswitch": "NVSwitch", "ocs": "OCS", "gcd": "GCD", "tpu": "TPU", "oam": "OAM",
}  # fmt: skip


def node_id(node: Hashable) -> str:
    """Return the string a node is known by; ids that are not strings are printed."""
    try:
        return node if isinstance(node, str) else str(node)
    except (ValueError, RecursionError):  # a number of more than 4,300 digits, a loop
        return shown(node)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key under which ``npu/2`` comes before ``npu/10``."""
    parts = _DIGITS.split(text)
    return tuple((1, int(p), "") if i % 2 else (0, 0, p) for i, p in enumerate(parts) if p)


def natural_sort(ids: Iterable[str]) -> list[str]:
    """Return ids in natural order."""
    return sorted(ids, key=lambda text: (natural_key(text), text))


def numbered(values: Iterable[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the distinct values in natural order, and the place among them of each value."""
    given = list(values)
    names = tuple(natural_sort(set(given)))
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place[value] for value in given], dtype=np.int64)


def label(node: str, kind: str) -> str:
    """Return the word tables and pictures use for a node: its id's prefix, or its kind."""
    prefix, slash, _ = node.partition("/")
    word = prefix if slash else kind
    return _LABELS.get(word, word)
