"""Hold every machine against the catalogue's own rows; new machines are covered as they come."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import networkx as nx
import numpy as np
import pytest

import topology
from tests.topology.systems.machines import small, whole
from topology import metrics
from topology.hardware.catalogue import Entry
from topology.hardware.devices import device_catalogue
from topology.hardware.media import link_catalogue
from topology.inventory import Inventory, inventory, network_arcs, node_ports
from topology.systems import system_catalogue, system_entry, system_names

NAMES = system_names()

COUNTS = {"npus": "npu", "switches": "switch", "cpus": "cpu", "nics": "nic"}


@cache
def made_of(name: str) -> Inventory:
    return inventory(whole(name))


def published(name: str) -> Entry:
    entry = system_entry(whole(name))
    assert entry is not None, f"{name} has no row in systems.csv"
    assert entry.name == name
    return entry


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_the_published_ones(name: str) -> None:
    entry, found = published(name), made_of(name)
    assert entry.figure("npus") is not None
    for figure, kind in COUNTS.items():
        if entry.figure(figure) is not None:
            assert found.count(kind) == entry.value(figure), figure
    if found.racks and entry.figure("racks") is not None:
        assert found.racks == entry.value("racks")
    assert len(whole(name).npus) == entry.value("npus")


@pytest.mark.parametrize("name", NAMES)
def test_bandwidth_of_an_npu_is_the_published_one(name: str) -> None:
    figure = published(name).figure("npu_bandwidth")
    assert figure is not None
    fastest = metrics.npu_bandwidths(whole(name), "scale-up").max()
    assert fastest == pytest.approx(figure.value, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_source_of_a_bandwidth_agrees_within_its_rounding(name: str) -> None:
    for figure in published(name).figures["npu_bandwidth"]:
        fastest = metrics.npu_bandwidths(whole(name), "scale-up").max()
        assert fastest == pytest.approx(figure.value, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_network_total_is_the_published_one(name: str) -> None:
    machine = whole(name)
    _, capacity = node_ports(machine.fabric)
    total = float(capacity[machine.fabric.npus].sum())
    for figure in published(name).figures.get("network", ()):
        assert total == pytest.approx(figure.value, rel=0.035)
    first = published(name).figure("network")
    if first is not None and first.confidence == "derived":
        assert total == pytest.approx(first.value, rel=1e-9)


@pytest.mark.parametrize(
    "name", [n for n, e in system_catalogue().items() if e.figure("bisection") is not None]
)
def test_bisection_is_the_published_one(name: str) -> None:
    assert metrics.bisection(whole(name)) == pytest.approx(
        published(name).value("bisection"), rel=1e-9
    )


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_the_sum_of_the_npus(name: str) -> None:
    """Of the sources for a total at least one is the NPUs' figure times their count."""
    machine = whole(name)
    devices = {machine.graph.nodes[npu]["device"] for npu in machine.npus}
    rel = 0.035  # a total in TB of 1024**4 bytes, or cut to two digits
    for what in ("bf16", "hbm", "memory"):
        totals = published(name).figures.get(what, ())
        each = [f.value for d in devices for f in device_catalogue()[d].figures.get(what, ())]
        sums = [len(machine.npus) * value for value in each]
        near = any(t.value == pytest.approx(value, rel=rel) for t in totals for value in sums)
        assert near or not totals or not sums, what


@pytest.mark.parametrize("name", NAMES)
def test_no_device_uses_more_ports_than_it_has(name: str) -> None:
    machine = whole(name)
    ports, capacity = node_ports(machine.fabric)
    known = device_catalogue()
    for i, node in enumerate(machine.fabric.nodes):
        row = known[machine.graph.nodes[node]["device"]]
        if row.figure("ports") is not None:
            assert ports[i] <= row.value("ports"), node
        if row.figure("bandwidth") is not None and row.words["kind"] == "npu":
            assert capacity[i] <= row.value("bandwidth") * (1 + 1e-9), node


@pytest.mark.parametrize("name", NAMES)
def test_no_lane_is_faster_than_the_port_it_is_on(name: str) -> None:
    machine = whole(name)
    fabric = machine.fabric
    known = device_catalogue()
    rows = [known[machine.graph.nodes[node]["device"]] for node in fabric.nodes]
    ports = np.array([row.value("port", np.inf) for row in rows])
    rate = fabric.capacity / fabric.lanes
    used = network_arcs(fabric)
    for end in (fabric.tail, fabric.head):
        assert np.all(rate[used] <= ports[end][used] * (1 + 1e-9))


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_in_the_catalogue_with_its_sources(name: str) -> None:
    found = made_of(name)
    assert whole(name).sources
    assert all(group.device in device_catalogue() for group in found.nodes)
    for group in found.links:
        row = link_catalogue()[group.type]
        assert row.words["medium"] == group.medium
        assert row.value("lane") == pytest.approx(group.rate[0], rel=1e-9)
    records = whole(name).fabric.links
    assert all(link.sources and link.length <= _reach(link.type) for link in records)


def _reach(name: str) -> float:
    return link_catalogue()[name].value("reach", float("inf"))


@pytest.mark.parametrize("name", NAMES)
def test_ranks_are_connected_and_the_graph_is_symmetric(name: str) -> None:
    machine = whole(name)
    graph = machine.graph
    assert nx.is_strongly_connected(graph)
    fabric = machine.fabric
    size = len(fabric.nodes)
    there = fabric.tail * size + fabric.head
    back = fabric.head * size + fabric.tail
    order, inverse = np.argsort(there), np.argsort(back)
    assert np.array_equal(there[order], back[inverse])
    assert np.array_equal(fabric.capacity[order], fabric.capacity[inverse])


@pytest.mark.parametrize("name", NAMES)
def test_ecmp_all_to_all_is_limited_by_a_class_of_the_network(name: str) -> None:
    machine = small(name)
    fabric = machine.fabric
    loads = topology.routing.ecmp(machine).loads()
    utilisation = loads / fabric.capacity
    worst = int(np.argmax(utilisation))
    host = ~network_arcs(fabric)
    crossing = {fabric.kind[fabric.tail[worst]], fabric.kind[fabric.head[worst]]}
    assert crossing <= {"npu", "switch", "nic"}
    if "nic" not in fabric.kind or len(machine.npus) <= 72:
        assert not host[worst]
    npus = len(machine.npus)
    into = np.bincount(fabric.head, loads, minlength=len(fabric.nodes))[fabric.npus]
    assert np.all(into >= (npus - 1) * (1 - 1e-9))


DIAMETERS: dict[str, Callable[[], int]] = {
    "dgx-a100": lambda: 2,
    "hgx-b200": lambda: 2,
    "mi300x": lambda: 1,
    "atlas-900-a2": lambda: 1,
    "gaudi3": lambda: 1,
    "dgx-1v": lambda: 2,
    "mi250": lambda: 5,
    "gb200-nvl72": lambda: 2,
    "cloudmatrix384": lambda: 4,
}


@pytest.mark.parametrize("name", sorted(DIAMETERS))
def test_diameter(name: str) -> None:
    assert metrics.diameter(whole(name)) == DIAMETERS[name]()
