"""Node-link JSON: the round trip is exact, and a bad file is named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from tests import strategies
from topology import Builder, Supernode
from topology.errors import SupernodeError
from topology.formats import from_node_link, load, save, to_node_link
from topology.formats.values import decode, encode
from topology.hardware.media import Link, LinkType


def assert_equal(a: Supernode, b: Supernode) -> None:
    """Compare everything a supernode has, types included."""
    for name in ("name", "npus", "sources", "parameters", "history"):
        assert getattr(a, name) == getattr(b, name)
    assert list(a.graph.nodes(data=True)) == list(b.graph.nodes(data=True))
    assert list(a.graph.edges(data=True)) == list(b.graph.edges(data=True))
    for x, y in zip(a.graph.edges.values(), b.graph.edges.values(), strict=True):
        assert {k: type(v) for k, v in x.items()} == {k: type(v) for k, v in y.items()}
    assert a.fabric.arcs == b.fabric.arcs
    assert (a.fabric.capacity == b.fabric.capacity).all()


@given(strategies.supernodes())
def test_the_round_trip_is_exact(machine):
    text = json.dumps(to_node_link(machine), allow_nan=False)
    assert_equal(from_node_link(json.loads(text)), machine)


@given(strategies.supernodes(), st.data())
@settings(max_examples=20)
def test_a_damaged_machine_keeps_its_damage(tmp_path_factory, machine, data):
    edge = data.draw(st.sampled_from(machine.fabric.arcs)) if machine.fabric.arcs else None
    if edge is None:
        return
    worn = machine.degrade(links=[edge], factor=1 / 3).without(links=[edge], both_directions=False)
    path = tmp_path_factory.mktemp("saved") / "worn.json"
    topology.save(worn, path)
    assert_equal(topology.load(path), worn)
    assert len(topology.load(path).history) == 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers(), inner)
        | st.frozensets(st.integers())
        | st.sets(st.text())
    ),
    max_leaves=10,
)


@given(values)
def test_any_plain_value_comes_back_the_same(value):
    back = decode(json.loads(json.dumps(encode(value, "x"), allow_nan=False)), "x")
    assert back == value
    assert repr(back) == repr(value) or isinstance(value, (set, frozenset, dict, list, tuple))


def test_link_records_and_types_come_back():
    for value in (Link(sources=("a",)), LinkType(capacity=3.5, reach=2.0), range(1, 9, 2)):
        assert decode(json.loads(json.dumps(encode(value, "x"))), "x") == value
    nan = decode(encode(math.nan, "x"), "x")
    assert math.isnan(nan)


def test_equal_links_share_one_record(tmp_path):
    machine = topology.cloudmatrix384(2)
    save(machine, tmp_path / "cm.json")
    again = load(tmp_path / "cm.json")
    assert len(json.loads((tmp_path / "cm.json").read_text())["graph"]["links"]) == 3
    assert len(again.fabric.links) == 3


def test_networkx_reads_the_file(tmp_path):
    machine = topology.star(3, link="nvlink5")
    save(machine, tmp_path / "star.json")
    data = json.loads((tmp_path / "star.json").read_text())
    graph = nx.node_link_graph(data, edges="edges")
    assert set(graph.edges) == set(machine.graph.edges)
    assert nx.maximum_flow_value(graph, "npu/0", "npu/1") == 50e9


def test_a_file_of_networkx_is_read(tmp_path):
    graph = nx.Graph(name="mine")
    graph.add_node("a", kind="npu")
    graph.add_node("b", kind="npu")
    graph.add_edge("a", "b", capacity=1e9)
    path = tmp_path / "own.json"
    path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    machine = load(path)
    assert machine.name == "mine"
    assert machine.npus == ("a", "b")
    assert machine.graph.edges["b", "a"]["capacity"] == 1e9


def spoilt(change):
    data = to_node_link(topology.star(2, link="nvlink5"))
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("nodes"), 'no list of "nodes"'),
        (lambda d: d.pop("edges"), 'no list of "edges"'),
        (lambda d: d["graph"].update(version=9), "has version 9; only 1 is read"),
        (lambda d: d["graph"].pop("npus"), '"graph" has no npus'),
        (lambda d: d["graph"].update(npus="npu/0"), "npus is 'npu/0'"),
        (lambda d: d["graph"].update(npus=[0]), "NPU 0 is not a node"),
        (lambda d: d["graph"].update(npus=["npu/7"]), "NPU npu/7 is not a node"),
        (lambda d: d["graph"].update(parameters=[]), "parameters is"),
        (lambda d: d["graph"].update(links=[7]), r"links\[0\] is 7"),
        (lambda d: d["graph"].update(links=[{"colour": 7}]), r"links\[0\] is not a link record"),
        (lambda d: d["nodes"].append({"kind": "npu"}), r"nodes\[3\] is .* with an id"),
        (lambda d: d["nodes"].append(d["nodes"][0]), r"nodes\[3\]: npu/0 is there already"),
        (lambda d: d["nodes"][0].update(kind="cat"), "node npu/0: kind is 'cat'"),
        (lambda d: d["nodes"][0].update(at={"$tupel": []}), r"\$tupel is not known"),
        (lambda d: d["nodes"][0].update(at={"$float": "x"}), r"\$float 'x' is not valid"),
        (lambda d: d["edges"].append([1]), r"edges\[4\] is \[1\]; it must be a mapping"),
        (lambda d: d["edges"].append(d["edges"][0]), r"edges\[4\]: npu/0 -> switch/0 is there"),
        (lambda d: d["edges"][0].update(source="x"), r"edges\[0\]: 'x' is not the id of a node"),
        (lambda d: d["edges"][0].update(link=5), r"edges\[0\]: link is 5; .* 0 to 0"),
        (lambda d: d["edges"][0].pop("capacity"), "npu/0 -> switch/0: capacity is missing"),
        (lambda d: d["edges"][0].update(capacity=-1), "capacity is -1"),
        (lambda d: d["edges"][0].update(capacity=-1.0), "capacity is -1"),
        (lambda d: d["edges"][0].update(latency=-1.0), "latency is -1"),
        (lambda d: d["edges"][0].update(lanes=0), "lanes is 0"),
    ],
)
def test_bad_data_is_named(change, said):
    with pytest.raises(SupernodeError, match=said):
        from_node_link(spoilt(change))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "bad.json, line 1, column 2: not JSON"),
        ("[]", 'no list of "nodes"'),
        ('{"nodes": [], "edges": [1]}', "bad.json is not node-link data"),
        ('{"nodes": [{"id": 1}], "edges": []}', "bad.json: bad has a fault:\n  - there is no NPU"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, said):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(SupernodeError, match=said):
        load(path)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SupernodeError, match=r"none\.json cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(SupernodeError, match="is not text in UTF-8"):
        load(tmp_path / "b.json")
    with pytest.raises(SupernodeError, match="cannot be written: No such file"):
        save(topology.star(2, link=1e9), Path(tmp_path) / "none" / "x.json")


def test_an_attribute_that_json_cannot_hold_is_named():
    builder = Builder()
    builder.add_nodes(["npu/0"], kind="npu", tier=0, colour=object())
    with pytest.raises(SupernodeError, match=r"node npu/0: colour holds .* which JSON cannot hold"):
        to_node_link(builder.build("x", ["npu/0"]))
