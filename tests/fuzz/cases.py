"""Make cases: valid inputs spoilt in a place or two, and nonsense."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx

import collectives
import topology
from collectives.cli import build_parser, main
from tests.fuzz.values import KINDS, good, machines, odd
from tests.public import public_names
from topology import faults, metrics, routing
from topology.formats import from_node_link, to_node_link
from topology.shapes.registry import SHAPES
from topology.systems.catalogue import SYSTEMS


@dataclass(frozen=True)
class Case:
    """An input in parts, any of which may be left out, and what takes it."""

    name: str
    parts: tuple[Any, ...]
    take: Callable[[Sequence[Any]], object]

    def run(self) -> None:
        """Take the input, and print what comes of it."""
        result = self.take(self.parts)
        if isinstance(result, topology.Supernode):
            _use(result)
        elif type(result).__module__.startswith(("topology", "collectives")):
            str(result), repr(result)
            if hasattr(result, "to_dict"):
                json.dumps(result.to_dict(), default=str)

    def names(self) -> set[str]:
        """Return the arguments that a `TypeError` may name."""
        return {part[0] for part in self.parts if isinstance(part, tuple) and part}


def _use(machine: topology.Supernode) -> None:
    """Ask the usual questions of a small machine."""
    str(machine), repr(machine)
    if len(machine.graph) <= 16 and len(machine.npus) > 1:
        for kind, algorithm in (("all_reduce", "ring"), ("all_to_all", "direct")):
            try:
                collectives.analyze(machine, kind, 1e6, algorithm=algorithm)
            except topology.SupernodeError:
                continue


def _call(function: Callable[..., object], parts: Sequence[tuple[str, Any]]) -> object:
    result = function(**dict(parts))
    return list(result) if inspect.isgenerator(result) else result


def of_function(name: str, function: Callable[..., object], rng: Random) -> Case:
    """Return a call of a function, most of its arguments right."""
    parts = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        needed = parameter.default is parameter.empty
        if needed or rng.random() < 0.3:
            spoilt = rng.random() < 0.25
            value = odd(rng) if spoilt else good(parameter.name, rng)
            if not needed and not spoilt and rng.random() < 0.5:
                value = parameter.default
            parts.append((parameter.name, value))
    if rng.random() < 0.02:
        parts.append((rng.choice(("name", "nonsense", "self", "graph")), odd(rng)))
    return Case(name, tuple(parts), partial(_call, function))


_NEVER = {"budget", "check_ranks", "register", "validate", "write", "save", "algorithm", "draw"}


@cache
def _functions() -> Mapping[str, Callable[..., object]]:
    """Return the public functions, and the methods of things ready for use."""
    found: dict[str, Callable[..., object]] = {}
    for room in (topology, metrics, routing, faults, collectives):
        for name in public_names(room):
            thing = getattr(room, name) if name != "draw" else None
            if inspect.isfunction(thing) and not name.startswith("plot_") and name not in _NEVER:
                found[f"{room.__name__}.{name}"] = thing
    for kind in (topology.LinkType, topology.Link, topology.Floor, topology.ScaleOut,
                 collectives.MoELayer, topology.Supernode, collectives.Transfers):  # fmt: skip
        found[kind.__name__] = kind
    machine = machines()[0]
    bound = collectives.bound(machine, "all_reduce")
    plan = collectives.plan(
        machine, collectives.make_schedule(machine, "all_reduce", algorithm="ring")
    )
    for owner in (machine, bound, plan, topology.Floor(), topology.link_type("nvlink4")):
        for name, _ in inspect.getmembers(type(owner), inspect.isfunction):
            if not name.startswith("_"):
                found[f"{type(owner).__name__}.{name}"] = getattr(owner, name)
    return found


def function(rng: Random) -> Case:
    """Return a public call."""
    return of_function(*rng.choice(list(_functions().items())), rng)


def plot(rng: Random) -> Case:
    """Return a call that draws."""
    names = [name for name in public_names(collectives) if name.startswith("plot_")]
    name = rng.choice((*names, "draw"))
    return of_function(name, getattr(topology if name == "draw" else collectives, name), rng)


def shape(rng: Random) -> Case:
    """Return a call of a shape."""
    name = rng.choice(sorted(SHAPES))
    return of_function(name, SHAPES[name], rng)


def system(rng: Random) -> Case:
    """Return a machine of the catalogue with parameters."""
    name = rng.choice(sorted(SYSTEMS))
    return of_function(name, SYSTEMS[name], rng)


def _from_graph(parts: Sequence[Any], make: Callable[..., object]) -> object:
    base, *changes = parts
    graph = base.copy() if isinstance(base, nx.Graph) else base
    npus = None
    for where, key, value in changes:
        if where == "npus":
            npus = value
        elif where == "new":
            graph.add_edge(key, value, capacity=1e9)
        else:
            held = graph.nodes if where == "node" else graph.edges
            at = list(held)
            at[len(at) // 2 : len(at) // 2 + 1] = at[len(at) // 2 : len(at) // 2 + 1] or [None]
            held[at[len(at) // 2]][key] = value
    return make(graph, npus)


_NODE = ("kind", "device", "tier", "forwards", "reduces", "multicasts", "capacity", "latency",
         "rack", "node", "plane", "slot", "coord", "supernode", "node_for_adding", "x")  # fmt: skip
_EDGE = ("capacity", "latency", "lanes", "medium", "link", "u_of_edge", "x")


def graph(rng: Random) -> Case:
    """Return a NetworkX graph with a few attributes spoilt."""
    base: Any = rng.choice(machines()).graph
    bare = nx.DiGraph() if rng.random() < 0.5 else nx.Graph()
    bare.add_nodes_from(base.nodes(data=True))
    bare.add_edges_from(
        (u, v, {k: d for k, d in data.items() if k == "capacity" or rng.random() < 0.8})
        for u, v, data in base.edges(data=True)
    )
    changes = []
    for _ in range(rng.randint(1, 3)):
        where = rng.choice(("node", "edge", "edge", "node", "npus", "new"))
        if where == "new":
            ends = [rng.choice((0, "a", "npu/0", (1, 2), 10**5000, "9" * 5000)) for _ in "uv"]
            changes.append((where, *ends))
        else:
            key = rng.choice(_NODE if where == "node" else _EDGE)
            changes.append((where, key, odd(rng)))
    if rng.random() < 0.7:
        return Case("from_networkx", (bare, *changes), partial(_from_graph, make=_networkx))
    names = tuple(rng.choice(machines()).npus)
    make = partial(_supernode, names)
    return Case("Supernode", (bare, *changes), partial(_from_graph, make=make))


def _networkx(made: Any, npus: Any) -> object:
    return topology.from_networkx(made, npus)


def _supernode(names: Any, made: Any, npus: Any) -> object:
    return topology.Supernode("mine", made, names if npus is None else npus)


@cache
def _saved(index: int) -> Any:
    return json.loads(json.dumps(to_node_link(machines()[index])))


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for key, value in inside:
        found.append((*path, key))
        if isinstance(value, dict | list) and len(path) < 5:
            found += _places(value, (*path, key))
    return found


def _changed(parts: Sequence[Any]) -> object:
    data, *changes = deepcopy(parts)
    for path, value in changes:
        held = data
        try:
            for key in path[:-1]:
                held = held[key]
            held[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    return from_node_link(data)


_JSON: Sequence[Any] = (
    None, True, 0, -1, 1, 1.5, 10**400, 1e308, "x", "npu/0", "npu", [], {}, [1], {"a": 1},
    {"$tuple": [1]}, {"$tuple": 5}, {"$range": [0, 10**12]}, {"$float": "nan"}, {"$float": "inf"},
    {"$set": [[1]]}, {"$link": {}}, {"$link": {"efficiency": 7}}, {"$pairs": [[[], 1]]}, {"$x": 1},
    "no", [["a"]], {"type": "x", "transceivers": {"$float": "nan"}}, 2, "9" * 5000, "\ud800",
)  # fmt: skip


def saved(rng: Random) -> Case:
    """Return a saved machine with a few values spoilt."""
    data = _saved(rng.randrange(len(machines())))
    places = _places(data)
    heads = [place for place in places if place[0] == "graph" or len(place) == 1]
    changes = [
        (rng.choice(heads if rng.random() < 0.4 else places), rng.choice(_JSON))
        for _ in range(rng.randint(1, 3))
    ]
    return Case("from_node_link", (data, *changes), _changed)


_SPEC = (
    'name = "mine"', 'sources = ["a", "b"]', "[links.thin]", 'rate = "5 GB/s"', 'medium = "copper"',
    'latency = "1 us"', "efficiency = 0.9", "[nodes.npu]", "count = 4", 'device = "h100"',
    "[nodes.l1]", "shape = { plane = 2, chip = 2 }", 'latency = "200 ns"', 'per = { node = 2 }',
    "[[connect]]", 'from = "npu"', 'to = "l1"', 'link = "thin"', 'pattern = "all"', "lanes = 2",
    "[[connect]]", 'from = "npu"', 'link = "50 GB/s"', 'pattern = "ring"', "[floor]",
    'tray = "1 m"', "[without]", 'nodes = ["npu/3"]', "[compose]", "count = 2",
    'scale_out = "infiniband"', "[system]", 'name = "dgx-h100"', "nodes = 2", "[shape]",
    'family = "torus"', "dims = [2, 2]", 'link = "nvlink4"', "lanes = 1", 'same = ["node"]',
)  # fmt: skip
_TOML = (
    "0", "-1", "1e9", "1000000000", "9" * 400, "9" * 5000, "nan", "inf", "true", "[]", "{}", '""',
    '"x"', '"npu"', '"\\u0000"', '"5 m"', '"1e400 GB/s"', '"yes"', "[[[1]]]", "[" * 900 + "]" * 900,
    "{ x = 1000000, y = 1000000 }", "1979-05-27", "0.5", '["a", 1]', "{ a = { b = 1 } }", "[1, 2]",
)  # fmt: skip
_BASES = (slice(2, 24), slice(7, 20), slice(31, 34), slice(34, 39), slice(0, 40))


def _parsed(parts: Sequence[str]) -> object:
    return topology.parse_spec("\n".join(parts))


def spec(rng: Random) -> Case:
    """Return the text of a spec file with a few lines spoilt."""
    lines = list(_SPEC[rng.choice(_BASES)])
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(lines))
        key, equals, _rest = lines[at].partition("=")
        how = rng.random()
        if how < 0.5 and equals:
            lines[at] = f"{key}= {rng.choice(_TOML)}"
        elif how < 0.7:
            lines[at] = rng.choice(_SPEC)
        elif how < 0.8:
            del lines[at]
        else:
            lines.insert(at, rng.choice((*_SPEC, "[" * 2000, "=", "\0", "a.b.c = 1", "x = '''")))
        lines = lines or [""]
    return Case("parse_spec", tuple(lines), _parsed)


_MACHINES = (
    "dgx-1v", "dgx-h100:nodes=1", "mi250", "trainium2", "dgx-h100:nodes=1,oversubscription=2",
    "hgx-b200:nics=no", "frontier-node:cpus=false",
)  # fmt: skip
_WORDS = (
    "", "x", "0", "-1", "1", "2", "1e400", "nan", "inf", "9" * 5000, "²", "\0", "0-99999999999",
    "0-1", "0,1", "1-0", "a,b", ",", "64MiB", "1KiB", "1e-320B", "0B", "1e31B", "1KiB-1MiB", "all",
    "1.0000000001", "auto", "ring", "none", "direct", "effective", "ecmp", "1us", "-5us", "1e9",
    "ugal", "hashed:seed=x", "valiant", "d_mod_k", "mi300x:nodes=2,nic=200", "hgx-b200:gpu=b300",
    "gaudi3:name=x", "dgx-h100:nodes=1000000", "dgx-h100:nodes", "dgx-h100:=", "gaudi3:cpus=maybe",
    "gb200-nvl72:cpus=no", "nothing.toml", "nothing.json", "/", "a\0.json", "tpu-v4:shape=1x1x1",
    "node", "--json", "--help", "all-reduce", "all-to-all", "\udcff", "é", "{}", "%s",
)  # fmt: skip
_TARGET = "/nonexistent/out"


@cache
def _commands() -> Mapping[str, Mapping[str, Any]]:
    """Return the options of each command."""
    (choices,) = (a.choices for a in build_parser()._actions if a.choices)
    return {name: {o: a for a in sub._actions for o in a.option_strings[:1]}
            for name, sub in choices.items()}  # fmt: skip


_GIVEN = {
    "--algorithm": "ring", "--algorithms": "ring,direct", "--rate": "line", "--low": "1KiB",
    "--high": "4KiB", "--sizes": "1KiB", "--ranks": "0,1", "--ep": "2", "--factor": "2",
    "--alpha": "1us", "--message": "1ns", "--seed": "1", "--skew": "0.1", "--gap": "5",
    "--root": "0", "--size": "1MiB", "--group-size": "2", "--dedup": "rank", "--jobs": "1",
    "--collectives": "all-reduce", "--experts": "8", "--expert-groups": "1", "--top-groups": "1",
    "--top-k": "2", "--tokens": "4", "--hidden": "64",
}  # fmt: skip
_ALWAYS = {
    "moe": ("--experts", "8", "--expert-groups", "1", "--top-groups", "1", "--top-k", "2"),
    "sweep": ("--collectives", "all-reduce", "--sizes", "1KiB", "--algorithms", "ring"),
    "tune": ("--high", "2KiB", "--algorithms", "ring"), "analyze": ("--algorithm", "ring"),
    "report": ("-o", _TARGET + ".html"), "draw": ("-o", _TARGET + ".png"),
    "export": ("-o", _TARGET + ".json"), "bound": ("--no-sensitivity",),
}  # fmt: skip


def _main(words: Sequence[str]) -> object:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        try:
            code = main(list(words))
        except SystemExit as left:
            code = left.code or 0
    if code not in (0, 2):
        raise AssertionError(f"exit code {code}")
    return None


def command(rng: Random) -> Case:
    """Return a command line with a word or two spoilt."""
    name = rng.choice([name for name in _commands() if name not in ("draw", "report")])
    if rng.random() < 0.02:
        name = rng.choice(("draw", "report"))
    options = _commands()[name]
    words = [name, rng.choice(_MACHINES)]
    if name in ("analyze", "bound", "tune"):
        words.append(rng.choice(KINDS).replace("_", "-"))
    if name == "analyze":
        words.append(rng.choice(("64MiB", "1KiB", "0B")))
    words += _ALWAYS.get(name, ())
    for option in rng.sample(sorted(options), min(len(options), rng.randint(0, 3))):
        if option in ("-h", "-o", "--jobs", "--large"):
            continue
        words.append(option)
        if options[option].nargs != 0:
            words.append(rng.choice(_WORDS) if rng.random() < 0.5 else _GIVEN.get(option, "1"))
    for _ in range(rng.randint(0, 1)):
        words[rng.randrange(1, len(words)) if len(words) > 1 else 0] = rng.choice(_WORDS)
    if name == "list":
        words = words[:1] + words[2:]
    return Case("command", tuple(words), _main)


def file(rng: Random, folder: Path) -> Case:
    """Return a file of bytes that claims to be a machine."""
    texts = (b"\xff\xfe", b"[" * 10**5, b"{" * 1000, b"9" * 5000, b'{"nodes": [1], "edges": [2]}',
             b'{"nodes": [{"id": []}], "edges": []}', b"", b"null", b'"x"', b"a = " + b"[" * 10**5,
             b'{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 1}]}', b"x = 1", b"\0",
             b'{"directed": 5, "nodes": [], "edges": []}', b'{"nodes": {}, "edges": []}',
             b'{"multigraph": true, "nodes": [{"id": 1}], "edges": []}')  # fmt: skip
    where = folder / f"case.{rng.choice(('json', 'toml', 'JSON'))}"

    def take(parts: Sequence[bytes]) -> object:
        where.write_bytes(b"".join(parts))
        return _main(["show", str(where)])

    text = bytearray(rng.choice(texts))
    if rng.random() < 0.3 and text:
        text[rng.randrange(len(text))] = rng.randrange(256)
    return Case("file", (bytes(text),), take)
