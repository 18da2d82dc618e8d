"""Describe a machine of your own, join eight of it, look at it, break it, and keep it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import topology
from topology import metrics
from topology.units import format_rate

SPEC = """
name = "my-box"

[nodes.npu]
count = 8
per = { node = 8 }

[nodes.switch]
count = 4

[[connect]]
from = "npu"
to = "switch"
link = "100 GB/s"
"""


def main() -> None:
    """Print the bandwidths, optics and failures of a small cluster."""
    box = topology.parse_spec(SPEC)
    cluster = topology.compose(box, 8, scale_out="infiniband")
    print(f"{cluster.name}: {metrics.optics(cluster)} optical modules")
    for split in ("order", "supernode"):
        print(f"  bisection by {split}: {format_rate(metrics.bisection(cluster, split))}")
    worn = topology.random_failures(cluster, "optic", count=4, seed=1)
    print(f"  with 4 modules dead: {format_rate(metrics.bisection(worn, 'supernode'))}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.json"
        topology.save(worn, path)
        print(f"  kept and read again: {topology.load(path)}")


if __name__ == "__main__":
    main()
