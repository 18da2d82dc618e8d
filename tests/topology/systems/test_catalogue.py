"""A machine has the published figures of its own row, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

import topology
from topology import Supernode
from topology.systems import system_entry
from topology.systems.catalogue import default_entry, system_catalogue
from topology.units import GB

NODE = topology.mi250()


def _renamed(machine: Supernode, name: str) -> Supernode:
    return topology.from_networkx(machine.graph, machine.npus, name=name)


@pytest.mark.parametrize("name", ["mi250", "mi250-homemade", "MI250", "cloudmatrix384-24-nodes"])
def test_a_name_alone_gives_no_figures(name: str) -> None:
    assert system_entry(_renamed(NODE, name)) is None
    assert system_entry(topology.star(4, link=GB)) is None


@pytest.mark.parametrize(
    "changed",
    [
        NODE.without(links=[("gcd/0", "gcd/1")]),
        NODE.degrade(links=[("gcd/0", "gcd/1")], factor=0.5),
        topology.cloudmatrix384(24),
        topology.tpu_v4("4x4x8"),
        topology.nvl72_superpod(2),
        topology.dgx_h100(2).without(nodes=["spine/0"]),
        topology.fail(NODE, topology.failure_units(NODE, "npu")[0]),
    ],
    ids=lambda machine: f"{machine.name} {machine.history}",
)
def test_a_variant_or_changed_machine_has_none_either(changed: Supernode) -> None:
    entry = system_entry(changed)
    assert entry is not None
    assert entry.figures == {}
    assert entry.words["title"].startswith("a variant of ")


def test_a_composed_machine_is_none_of_the_catalogue() -> None:
    assert system_entry(topology.compose(NODE, 2, scale_out="infiniband")) is None


@pytest.mark.parametrize("nodes", [2, 5])
def test_a_cluster_has_the_sum_of_its_nodes_and_says_so(nodes: int) -> None:
    one, cluster = (system_entry(topology.dgx_h100(n)) for n in (1, nodes))
    assert one is not None
    assert cluster is not None
    assert cluster.words["title"] == f"{nodes} × NVIDIA DGX H100"
    for name, known in cluster.figures.items():
        for figure, single in zip(known, one.figures[name], strict=True):
            if name == "npu_bandwidth":
                assert figure == single
            else:
                assert figure.value == pytest.approx(nodes * single.value)
                assert figure.source.startswith(f"{nodes} × ")
                assert figure.confidence in ("derived", "estimate")
    assert {"power", "hbm", "bf16"} <= set(cluster.figures)
    assert not {"switches", "bisection", "network", "optics"} & set(cluster.figures)


def test_the_row_goes_through_a_file(tmp_path: Path) -> None:
    for machine in (
        topology.dgx_h100(2),
        NODE,
        topology.cloudmatrix384(2),
        topology.star(2, link=GB),
    ):
        topology.save(machine, tmp_path / "it.json")
        again = topology.load(tmp_path / "it.json")
        assert (again.row, again.copies) == (machine.row, machine.copies)
        assert system_entry(again) == system_entry(machine)


@pytest.mark.parametrize(
    ("was", "now"), [('"row": "mi250"', '"row": 3'), ('"copies": 1', '"copies": -1'),
                     ('"copies": 1', '"copies": true')]
)  # fmt: skip
def test_a_file_with_a_forged_row_is_refused(tmp_path: Path, was: str, now: str) -> None:
    file = tmp_path / "it.json"
    topology.save(NODE, file)
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, now), encoding="utf-8")
    with pytest.raises(topology.SupernodeError, match=r": (row|copies) is"):
        topology.load(file)


def test_a_spec_that_renames_a_machine_keeps_its_row() -> None:
    spec = 'name = "ours"\n[system]\nname = "mi250"\n'
    assert system_entry(topology.parse_spec(spec)) == system_catalogue()["mi250"]
    worn = topology.parse_spec(f'{spec}[without]\nlinks = [["gcd/0", "gcd/1"]]\n')
    assert worn.copies == 0


def test_builders_made_from_a_table_read_as_if_written_out() -> None:
    for name in ("tpu_v4", "ironwood", "gb300_nvl72", "vera_rubin_nvl72"):
        builder = getattr(topology, name)
        assert builder.__name__ == name
        assert builder.__doc__.startswith("Return ")
        assert "Parameters\n----------" in builder.__doc__
        assert default_entry(name) is not None
