"""Know the chips: NPUs, CPUs, switches and NICs."""

from __future__ import annotations

from collections.abc import Mapping

from topology.errors import known_as
from topology.hardware.catalogue import Entry, load_catalogue

KINDS = ("npu", "cpu", "switch", "nic")
"""What a node of a supernode can be."""


def device_catalogue() -> Mapping[str, Entry]:
    """Return every row of devices.csv, by the device's name."""
    return load_catalogue("devices.csv", ("device", "title", "vendor", "kind"))


def device(name: str) -> Entry:
    """Return a device's catalogue entry.

    Figures, all in SI units: ``ports``, ``port`` and ``bandwidth`` (bytes/s, one direction),
    ``hbm`` (bytes), ``memory`` (bytes/s), ``bf16`` (dense FLOP/s), ``power`` (W), ``latency``
    (switch, port to port, s), ``alpha`` (endpoint software per communication step, s) and
    ``message`` (endpoint software per message, s), ``reduces`` and ``multicasts`` (0 or 1).

    Raises
    ------
    UnknownNameError
        If the catalogue has no such device; the near ones are listed.
    """
    return known_as("device", name, device_catalogue())
