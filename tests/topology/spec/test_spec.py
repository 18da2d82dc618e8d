"""Spec files: a machine in a few lines; an error names file, line, field and what is allowed."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from topology import metrics
from topology.errors import SupernodeError
from topology.spec import SpecError, load_spec, parse_spec
from topology.spec.lines import field_lines, line_of
from topology.units import GB

SPECS = Path(__file__).parents[3] / "examples" / "specs"


def test_cloudmatrix384_in_a_few_lines_is_the_one_of_the_catalogue():
    spec = load_spec(SPECS / "cloudmatrix384.toml")
    built = topology.cloudmatrix384(cpus=False)
    assert set(spec.graph.edges) == set(built.graph.edges)
    for edge in built.graph.edges:
        assert spec.graph.edges[edge] == built.graph.edges[edge]
    for node in built.graph:
        for name in ("kind", "tier", "device", "forwards", "node", "plane", "latency"):
            assert spec.graph.nodes[node].get(name) == built.graph.nodes[node].get(name)
    assert spec.npus == built.npus


def test_a_torus_with_media_by_distance():
    spec = load_spec(SPECS / "torus.toml")
    ids = {node: tuple(map(int, node.split("/")[1:])) for node in spec.graph}
    grid = nx.grid_graph((4, 4, 8), periodic=True).to_directed()
    assert {(ids[u], ids[v]) for u, v in spec.graph.edges} == set(grid.edges)
    for _, _, data in spec.graph.edges(data=True):
        link = data["link"]
        assert (link.medium == "copper") == (link.length <= 3)
    assert metrics.bisection(spec) == 32 * 50 * GB


def test_a_composition_from_a_file():
    spec = load_spec(SPECS / "pod.toml")
    assert spec.name == "nvl72-pod"
    assert len(spec.npus) == 576
    assert metrics.oversubscription(spec) == {"leaf": 2.0}


SMALL = """
name = "small"
[nodes.npu]
count = 4
per = { node = 2 }
[nodes.leaf]
count = 2
per = { node = 1 }
[nodes.spine]
count = 1
tier = 2
latency = "200 ns"
capacity = "3 GB/s"
[[connect]]
from = "npu"
to = "leaf"
same = ["node"]
link = "2 GB/s"
[[connect]]
from = "leaf"
to = "spine"
link = "1 GB/s"
uplinks = 3
"""


def test_quantities_have_units_and_uplinks_are_shared():
    machine = parse_spec(SMALL)
    assert machine.graph.edges["leaf/0", "spine/0"]["capacity"] == 3 * GB
    assert machine.graph.edges["leaf/0", "spine/0"]["lanes"] == 3
    assert machine.graph.nodes["spine/0"]["latency"] == pytest.approx(200e-9)
    assert metrics.bisection(machine) == 3 * GB
    assert not machine.graph.has_edge("npu/0", "leaf/1")


@pytest.mark.parametrize(
    ("pattern", "degrees"),
    [("all", [3] * 6), ("fill", [1] * 6), ("stripe", [1] * 6)],
)
def test_patterns_between_groups(pattern, degrees):
    text = f"""
[nodes.npu]
count = 6
[nodes.s]
count = 3
[[connect]]
from = "npu"
to = "s"
link = "1 GB/s"
pattern = "{pattern}"
[[connect]]
from = "s"
link = "1 GB/s"
"""
    machine = parse_spec(text)
    assert [len(machine.graph[npu]) for npu in machine.npus] == degrees
    if pattern != "all":
        assert {len(machine.graph[f"s/{j}"]) for j in range(3)} == {4}
        near = "s/0" if pattern == "fill" else "s/1"
        assert list(machine.graph["npu/1"]) == [near]


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from(["ring", "line", "full"]))
def test_patterns_within_a_group_along_its_axes(a, b, pattern):
    text = f"""
[nodes.npu]
shape = {{ y = {a}, x = {b} }}
[[connect]]
from = "npu"
pattern = "{pattern}"
along = ["x", "y"]
link = "1 GB/s"
"""
    make = {"ring": nx.cycle_graph, "line": nx.path_graph, "full": nx.complete_graph}[pattern]
    sides = [nx.path_graph(n) if n < 3 else make(n) for n in (a, b)]
    grid = nx.cartesian_product(*sides).to_directed()
    machine = parse_spec(text)
    names = {f"npu/{y}/{x}": (y, x) for y in range(a) for x in range(b)}
    assert set(nx.relabel_nodes(machine.graph, names).edges) == set(grid.edges)


def test_a_shape_a_system_and_faults_from_a_file():
    text = '[shape]\nfamily = "ring"\nnpus = 5\nlink = "mine"\n[links.mine]\nbase = "nvlink5"\n'
    ring = parse_spec(text + "modules = 2\n")
    assert (len(ring.npus), metrics.diameter(ring), metrics.optics(ring)) == (5, 2, 10)
    text = '[system]\nname = "cloudmatrix384"\nnodes = 2\n[without]\nnodes = "l1/0/3"\n'
    worn = parse_spec(text + 'links = [["npu/0", "l1/0/0"]]\n')
    assert metrics.per_npu_bandwidth(worn) == 5 * 56 * GB
    assert worn.history


def test_nics_on_switches_forward_and_others_do_not():
    text = """
[nodes.npu]
count = 2
[nodes.nic]
count = 2
[nodes.switch]
count = 1
[[connect]]
from = "npu"
to = "nic"
pattern = "one-to-one"
link = "pcie5-x16"
"""
    outer = '[[connect]]\nfrom = "nic"\nto = "switch"\nlink = "ndr-optical"\n'
    assert not parse_spec(text).graph.nodes["nic/0"]["forwards"]
    assert metrics.diameter(parse_spec(text + outer)) == 4


NODES = "[nodes.npu]\ncount = 4\nper = { node = 2 }\n[nodes.s]\ncount = 3\n"
WIRE = '[[connect]]\nfrom = "npu"\nto = "s"\nlink = "1 GB/s"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [1\nb", r"x\.toml, line 2: "),
        ("nme = 1\n" + NODES, r"line 1: nme is not a field here; did you mean 'name'\? allowed: n"),
        ("name = 1\n" + NODES + WIRE, r"line 1: name is 1; it must be a text"),
        ("", r"line 1: nodes is missing; give one of nodes, system, shape"),
        (NODES + "[system]\n", r"line 6: system nodes and system are both there"),
        ("[nodes]\n", r"line 1: nodes must be tables"),
        ("nodes = 3\n", r"line 1: nodes must be tables"),
        ('[nodes."1x"]\ncount = 1\n', r"line 1: nodes.1x: a group's name begins with a letter"),
        ("[nodes.s]\ncount = 2\n", r"line 1: nodes: there is no NPU"),
        ("[nodes.npu]\ncuont = 2\n", r"line 2: nodes.npu.cuont is not a field .* 'count'"),
        ("[nodes.npu]\n", r"line 1: nodes.npu.count: give one of count and shape"),
        ("[nodes.npu]\ncount = 0\n", r"line 2: nodes.npu.count is 0; it must be a whole number"),
        ("[nodes.npu]\ncount = 1\nshape = { x = 2 }\n", r"line 2: .*one of count and shape"),
        ("[nodes.npu]\nshape = { x = 0 }\n", r"line 2: nodes.npu.shape is .*like \{ node = 8 \}"),
        ("[nodes.npu]\nshape = { tier = 2 }\n", r"line 2: nodes.npu.shape: tier is a field of"),
        ("[nodes.npu]\nshape = { x = 2 }\nper = { x = 2 }\n", r"line 3: .*per: x is in shape"),
        ("[nodes.npu]\nshape = { x = 9999, y = 9999 }\n", r"has 99,980,001 nodes; up to"),
        ('[nodes.npu]\ncount = 1\nkind = "gpu"\n', r"line 3: nodes.npu.kind is 'gpu'; .*npu, cpu"),
        ('[nodes.npu]\ncount = 1\ndevice = "h10"\n', r"line 3: .*device is 'h10'; .*'h100'\?"),
        ("[nodes.npu]\ncount = 1\nforwards = 1\n", r"line 3: .*forwards is 1; it must be true"),
        ("[nodes.npu]\ncount = 1\nlatency = 5\n", r"line 3: .*latency: time 5 has no unit"),
        ('[nodes.npu]\ncount = 1\ncapacity = "5 m"\n', r"line 3: .*unknown unit 'm'; known: B/s"),
        (NODES + "connect = 3\n", r"line 6: nodes.s.connect is not a field here"),
        ("connect = 3\n" + NODES, r"line 1: connect must be an array of tables"),
        (NODES + "[[connect]]\n", r"line 6: connect\[0\].link is missing; write it like link ="),
        (NODES + WIRE + '[[connect]]\nfrom = "x"\n', r"line 11: connect\[1\].from is 'x'; .*npu"),
        (NODES + WIRE + 'pattern = "ring"\n', r"line 10: .*pattern is 'ring'; allowed: all, one"),
        (NODES + WIRE + 'pattern = "one-to-one"\n', r"line 10: .*as many on each side, not 4 npu"),
        (NODES + WIRE + 'same = "node"\n', r"line 10: .*same holds 'node'; npu and s have none"),
        (NODES + WIRE + 'along = "x"\n', r"line 10: connect\[0\].along: it is for links within"),
        (NODES + WIRE + "lanes = 0\n", r"line 10: connect\[0\].lanes is 0; it must be a whole"),
        (NODES + WIRE + "uplinks = 4\n", r"line 10: .*uplinks is 4; npu/0 has 3 links, which do"),
        (NODES + WIRE + "uplinks = 3\nlanes = 1\n", r"line 10: .*give one of lanes"),
        (NODES + WIRE + 'lenght = "2 m"\n', r"line 10: connect\[0\].lenght .* mean 'length'\?"),
        (NODES + WIRE + WIRE, r"line 10: connect\[1\]: edge npu/0 -> s/0 is there already"),
        (NODES + WIRE.replace("1 GB/s", "ub-coper"), r"line 9: .*link is 'ub-coper'; did you mean"),
        (NODES + WIRE.replace("1 GB/s", "1 GBs"), r"line 9: .*unknown unit 'GBs'"),
        (NODES + WIRE.replace('"1 GB/s"', "50"), r'line 9: .*link is 50; .*or a rate such as "50'),
        (NODES + WIRE.replace("1 GB/s", "nvlink5") + 'length = "9 m"\n',
         r"line 6: connect\[0\]: link type 'nvlink5': a length of 9 m is beyond its reach of 2 m"),
        (NODES + WIRE.replace('"1 GB/s"', '["nvlink5", "ndr-optical"]'),
         r"line 6: connect\[0\]: link npu/0 to s/0: npu/0 has no place"),
        ('[nodes.npu]\ncount = 4\n[[connect]]\nfrom = "npu"\nlink = "1 GB/s"\nalong = "x"\n',
         r"line 6: connect\[0\].along holds 'x'; npu has no shape"),
        ("[links.a]\n" + NODES, r'line 1: links.a.rate is missing; write it like rate = "50 GB/s"'),
        ("[links.a]\nrate = 50\n" + NODES, r"line 2: links.a.rate: rate 50 has no unit"),
        ('[links.a]\nbase = "nvlnk5"\n' + NODES, r"line 2: links.a.base is 'nvlnk5'; .*'nvlink5'"),
        ('[links.a]\nrate = "1 GB/s"\nmedium = "air"\n' + NODES, r"line 3: .*allowed: copper, opt"),
        ('[links.a]\nrate = "1 GB/s"\nefficiency = 2\n' + NODES, r"line 3: .*from 0 to 1"),
        ('[links.a]\nrate = "0 GB/s"\n' + NODES, r"line 1: links.a: link type 'a': capacity is 0"),
        ("links = 3\n" + NODES, r"line 1: links must be tables"),
        ('[system]\nname = "cm384"\n', r"line 2: system.name is 'cm384'; .*allowed: "),
        ("[system]\nnodes = 2\n", r"line 1: system.name is missing"),
        ('[system]\nname = "cloudmatrix384"\nnodes = 99\n', r"line 1: system: cloudmatrix384: nod"),
        ('[system]\nname = "cloudmatrix384"\nnode = 9\n', r"line 1: system: .*'node'"),
        ('[shape]\nfamily = "rng"\n', r"line 2: shape.family is 'rng'; did you mean 'ring'\?"),
        ('[shape]\nfamily = "ring"\nnpu = 4\n', r"line 3: shape.npu is not a parameter of ring; "),
        ('[shape]\nfamily = "ring"\nlink = "1 GB/s"\n', r"shape 'ring': missing a required arg"),
        ('[shape]\nfamily = "ring"\nnpus = 0\nlink = "1 GB/s"\n', r"line 1: shape: ring: npus is"),
        ("[shape]\n", r"line 1: shape.family is missing"),
        (NODES + WIRE + '[without]\nnodes = ["x"]\n', r"line 10: without: .* has no node x"),
        (NODES + WIRE + "[without]\nlinks = [1]\n", r"line 11: without.links must be pairs"),
        (NODES + WIRE + "[compose]\ncount = 2\n", r"line 10: compose.scale_out is missing"),
        (NODES + WIRE + '[compose]\nscale_out = "roec"\n', r"line 11: .*did you mean 'roce'\?"),
        (NODES + WIRE + '[compose]\ncount = 0\nscale_out = "roce"\n', r"line 11: compose.count is"),
        (NODES + WIRE + "[compose.scale_out]\nprots = 4\n", r"line 11: .*did you mean 'ports'\?"),
        (NODES + WIRE + '[compose.scale_out]\nlink = "1 GB/s"\nlayout = "x"\n',
         r"line 10: compose.scale_out: .*one of clos, rail, rail-only"),
        (NODES + WIRE + "[floor]\nslots = 0\n", r"line 11: floor.slots is 0"),
        (NODES + WIRE + "[floor]\ntray = 3\n", r"line 11: floor.tray: length 3 has no unit"),
    ],
)  # fmt: skip
def test_every_error_names_file_line_field_and_what_is_allowed(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        parse_spec(text, where="x.toml")
    assert all(line.startswith("x.toml, line ") for line in str(caught.value).splitlines()[:1])


def test_all_faults_are_told_at_once_in_the_order_of_the_lines():
    text = NODES + WIRE.replace("npu", "npv").replace("1 GB/s", "1 GB") + "lanes = -1\n"
    with pytest.raises(SpecError) as caught:
        parse_spec("nam = 1\n" + text, where="x.toml")
    lines = [int(part.split(":")[0]) for part in str(caught.value).split("x.toml, line ")[1:]]
    assert lines == [1, 8, 10, 11]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(SupernodeError, match=r"no\.toml cannot be read"):
        load_spec(tmp_path / "no.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(SupernodeError, match="is not text in UTF-8"):
        load_spec(tmp_path / "b.toml")


def test_lines_are_found_through_long_values_and_comments():
    text = '''# [not.a] table
a = [
  "x = 1", # b = 2
]
c.d = """
e = 5
"""
[t] # note
f = { g = 1 }
[[u]]
"h i" = 1
[[u]]
h = "#"
[u.v]
w = 1
'''
    lines = field_lines(text)
    assert lines["a",] == 2
    assert lines["c", "d"] == 5
    assert ("e",) not in lines
    assert lines["t", "f"] == 9
    assert lines["u", 0, "h i"] == 11
    assert lines["u", 1, "h"] == 13
    assert lines["u", 1, "v", "w"] == 15
    assert line_of(lines, ("t", "f", "g")) == 9
    assert line_of(lines, ("nowhere",)) == 1


BAD = ["-1", "0", "1.5", "true", '""', '"x"', "[]", "[1]", '["npu"]', "{}", "{ a = 1 }", "nan",
       "1e400", "2020-01-01", "[[1, 2]]", '"1 GB/s"', "99999999999999999999"]  # fmt: skip


@given(
    st.sampled_from([SMALL, *((SPECS / f"{n}.toml").read_text() for n in ("torus", "pod"))]),
    st.randoms(use_true_random=False),
    st.sampled_from(BAD),
)
@settings(max_examples=60)
def test_a_wrong_value_never_ends_in_anything_but_a_clear_error(text, random, value):
    lines = text.splitlines()
    at = random.choice([i for i, line in enumerate(lines) if " = " in line and line[0] != "#"])
    lines[at] = f"{lines[at].split(' = ')[0]} = {value}"
    try:
        parse_spec("\n".join(lines), where="x.toml")
    except SupernodeError as error:
        assert "x.toml" in str(error)  # noqa: PT017 - most wrong values are refused, not all
