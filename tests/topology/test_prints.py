"""Every public result of topology prints in 80 columns, on one line, and as HTML."""

from __future__ import annotations

import pytest

import topology
from topology import metrics
from topology.inventory import inventory
from topology.text import Printed

MACHINE = topology.dgx_h100(2).without(nodes=["nvswitch/0/0"])
NVLINK = topology.link_type("nvlink5")
HBM = topology.device("h100").figure("hbm")
assert HBM is not None
RESULTS = [
    (MACHINE, ["16 NPUs", "without 1 node", "NPU→NVSwitch", "100 GB/s to 125 GB/s"]),
    (MACHINE.fabric, ["16 ranks, 48 nodes", "leaf→spine", "optical"]),
    (MACHINE.fabric.classes[-1], ["spine→leaf, optical: 8 directed links"]),
    (inventory(MACHINE), ["16 NPUs", "transceivers", "quantum2", "NIC–leaf"]),
    (NVLINK, ["50 GB/s a lane, one way, copper", "NVIDIA NVLink page"]),
    (NVLINK.link(), ["nvlink5: copper", "propagation", "one way"]),
    (topology.device("h100"), ["NVIDIA H100 SXM5", "HBM", "80 GB", "estimate"]),
    (HBM, ["HBM 80 GB", "estimate: "]),
    (topology.failure_units(MACHINE, "plane")[0], ["plane 0 takes node leaf/0/0"]),
    (metrics.bisection_cut(MACHINE, "node"), ["400 GB/s between 8 and 8 NPUs, split by node"]),
    (metrics.path_diversity(MACHINE, 8, 9), ["shortest paths: 4, of 2 hops"]),
    (metrics.cables(MACHINE)[0], ["16 cables NIC–leaf", "ndr-optical"]),
    (metrics.network_power(MACHINE), ["the network draws", "optics", "not in the sum: 16 conn"]),
    (metrics.network_cost(MACHINE, {"optics": 100}), ["the network costs 6,400", "optics"]),
    (metrics.reliability(MACHINE), ["a part fails every", "quantum2"]),
]


@pytest.mark.parametrize(("result", "said"), RESULTS, ids=lambda it: type(it).__name__)
def test_results_print_well(
    result: Printed, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = str(result)
    assert max(map(len, text.splitlines())) <= 80
    assert all(words in " ".join(text.split()) for words in said)
    line = repr(result)
    assert line.startswith(f"<{type(result).__name__}")
    assert "\n" not in line
    assert len(line) < 160
    assert result._repr_html_().startswith("<p>")
