"""Results do not depend on the order of a set or dict: two processes of different hash seeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_PROGRAM = """
import collectives, json, sys, networkx as nx, topology
from collectives.cli import main
from topology.routing import ecmp
graph = nx.Graph()
for i in {f"npu/{k}" for k in range(12)}:
    for j in {f"s/{k}" for k in range(3)}:
        graph.add_edge(i, j, capacity=1e9)
mine = topology.from_networkx(graph, npus=sorted(n for n in graph if n[0] == "n"))
built = (topology.cloudmatrix384(3).without(nodes=["l2/0/0", "npu/1"]), topology.dgx_h100(2))
for s in (mine, *built):
    print(json.dumps([s.fabric.arcs, ecmp(s).loads().tolist(), s.history]))
for s in built:
    print(json.dumps(list(s.graph)))
tree = nx.Graph([("spine/0", "leaf/0"), ("spine/0", "leaf/1")])
tree.add_edges_from((f"leaf/{k // 4}", f"npu/{k}") for k in range(8))
nx.set_edge_attributes(tree, 1e9, "capacity")
tied = topology.from_networkx(tree, npus=[f"npu/{k}" for k in range(8)])  # as busy up as down
print(collectives.analyze(tied, "all_to_all", 1e6, algorithm="direct").bottleneck.sentence)
main(["analyze", "cloudmatrix384:nodes=5", "all-reduce", "1MiB", "--json"])
"""


def test_results_do_not_depend_on_the_hash_seed() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE, text=True,
        )
        for seed in ("1", "3")
    ]  # fmt: skip
    one, other = (process.communicate()[0] for process in running)
    assert one == other
    assert all(process.returncode == 0 for process in running)
    assert json.loads("{" + one.partition("\n{")[2])["system"] == "cloudmatrix384-5-nodes"
