"""Certificates: written, read back and checked by code of its own; forged ones are found out."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives.bounds import (
    Bound,
    CertificateError,
    CollectiveNeed,
    Cut,
    Lengths,
    PairsNeed,
    PartsSum,
    TokenNeed,
    bound,
    bound_needs,
    certificates,
    gather_bound,
    read_certificate,
    sensitivity,
)
from collectives.cli import main
from collectives.model.collective import collective_names
from tests.strategies import networks, rank_choices
from topology import Supernode
from topology.units import GB

KINDS = collective_names()


def again(found: Bound) -> Any:
    """Return a bound's certificate, written as JSON and read back."""
    return read_certificate(json.loads(json.dumps(found.to_dict()))["certificate"])


def test_the_check_shares_nothing_with_the_finders() -> None:
    """It imports NetworkX, NumPy, SciPy, its own room, and what a collective is."""
    room = Path(certificates.__file__).parent
    allowed = ("collectives.bounds.certificates", "collectives.model.collective",
               "topology.errors", "networkx", "numpy", "scipy")  # fmt: skip
    for path in room.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in filter(None, names):
                plain = "." not in name and name not in ("collectives", "topology")
                std = plain or name.split(".")[0] in ("collections", "typing")
                assert std or name.startswith(allowed), f"{path.name} imports {name}"


@settings(max_examples=25)
@given(networks(), st.sampled_from(KINDS), st.booleans(), st.data())
def test_every_certificate_comes_back(
    machine: Supernode, kind: str, relay: bool, data: st.DataObject
) -> None:
    """Every collective, group and root, with and without relays."""
    ranks = data.draw(rank_choices(len(machine.npus)))
    root = data.draw(st.integers(0, len(ranks) - 1))
    connected = all(d["kind"] != "npu" for _, d in machine.graph.nodes(data=True))
    found = bound(machine, kind, ranks, root=root, relay=relay or not connected)
    assert again(found) == found.certificate
    assert again(found).check(machine)
    assert found.certificate.claim == found.seconds_per_byte


def _tokens(machine: Supernode, *, back: bool) -> TokenNeed:
    p = len(machine.npus)
    to_rank = np.arange(p * p, dtype=float).reshape(p, p) / p**2
    to_node = np.stack([to_rank[:, : p // 2].max(axis=1), to_rank[:, p // 2 :].max(axis=1)], 1)
    return TokenNeed.of(machine, range(p), to_rank, to_node, np.arange(p) // (p // 2), back=back)


def test_certificates_of_groups_uneven_demands_and_tokens_come_back() -> None:
    machine = topology.dgx_h100(2)
    ids = machine.npus
    matrix = np.random.default_rng(3).random((16, 16))
    groups = [
        CollectiveNeed(kind, ids[at : at + 4], ids[at] if kind == "broadcast" else None, 0.25)
        for kind in ("all_reduce", "all_gather", "broadcast", "all_to_all")
        for at in (2, 6, 10)
    ]
    questions: list[list[Any]] = [
        groups, groups[:3], groups[6:9], [PairsNeed.of(machine, matrix)],
        [PairsNeed.of(machine, matrix), *groups], [_tokens(machine, back=False)],
        [_tokens(machine, back=True), groups[0]],
    ]  # fmt: skip
    for needs in questions:
        found = bound_needs(machine, needs, size=1e6)
        assert found.seconds_per_byte > 0
        assert again(found) == found.certificate
        assert again(found).check(machine)


def _forged(proof: Any) -> dict[str, Any]:
    """Return a certificate changed in ways that must each be found out."""
    need = proof.needs[0]
    first, *rest = need.ranks
    changed: dict[str, Any] = {
        "a higher claim": replace(proof, claim=proof.claim * 1.001),
        "a lower claim": replace(proof, claim=proof.claim / 2),
        "no number": replace(proof, claim=float("nan")),
        "a rank gone": replace(proof, needs=(replace(need, ranks=tuple(rest)),)),
        "a rank twice": replace(proof, needs=(replace(need, ranks=(first, *need.ranks)),)),
        "a stranger": replace(proof, needs=(replace(need, ranks=("npu/999", *rest)),)),
        "half the data": replace(proof, needs=(replace(need, weight=0.5),)),
        "a root it has not": replace(proof, needs=(replace(need, root=first),)),
        "another collective": replace(proof, needs=(replace(need, collective="gather"),)),
        "nothing needed": replace(proof, needs=()),
    }
    if isinstance(proof, Cut):
        changed |= {
            "a node less": replace(proof, part=proof.part[1:]),
            "the other side": replace(proof, inside=not proof.inside),
            "an unlimited switch": replace(proof, halved=("nvswitch/0/0",)),
            "one receiver alone": replace(proof, receiver=first),
            "one sender alone": replace(proof, sender=need.ranks[-1]),
            "unknown nodes": replace(proof, part=(*proof.part, "nowhere")),
        }
    if isinstance(proof, PartsSum):
        changed |= {
            "parts overlap": replace(proof, parts=(*proof.parts, proof.parts[0])),
            "a part less": replace(proof, parts=proof.parts[1:]),
            "parts torn": replace(proof, parts=(proof.parts[0][1:], *proof.parts[1:])),
            "switches at large": replace(
                proof, parts=tuple(tuple(n for n in p if "switch" not in n) for p in proof.parts)
            ),
        }
    if isinstance(proof, Lengths):
        (length, links), *more = proof.links
        changed |= {
            "a negative length": replace(proof, links=((-length, links), *more)),
            "no length": replace(proof, links=((float("nan"), links), *more)),
            "a link twice": replace(proof, links=((length, (*links, links[0])), *more)),
            "a link less": replace(proof, links=((length, links[1:]), *more)),
            "no link": replace(proof, links=()),
            "unknown links": replace(proof, links=((length, (("a", "b"), *links)), *more)),
            "an unlimited switch": replace(proof, switches=((1.0, ("nvswitch/0/0",)),)),
        }
    return changed


@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter", "all_to_all", "all_reduce"])
def test_forgeries_are_found_out(kind: str) -> None:
    machine = topology.dgx_h100(2)
    found = bound(machine, kind)
    proof = found.certificate
    assert proof.check(machine)
    for name, forged in _forged(proof).items():
        if kind == "all_reduce" and name == "a rank gone":
            assert forged.check(machine)  # parts that hold fewer ranks move as much
            continue
        with pytest.raises(CertificateError):
            assert not forged.check(machine), name
    slower = machine.degrade(links=list(machine.graph.edges), factor=0.5)
    for other in (slower, topology.star(16, link=GB)):
        with pytest.raises(CertificateError):
            proof.check(other)


def test_a_root_cannot_be_moved() -> None:
    machine = topology.dgx_h100(2)
    for kind in ("broadcast", "reduce", "gather", "scatter"):
        proof = bound(machine, kind, root=3).certificate
        need = proof.needs[0]
        for root in (None, "npu/1/0", "nowhere"):
            with pytest.raises(CertificateError):
                replace(proof, needs=(replace(need, root=root),)).check(machine)


def test_a_forged_target_proves_only_what_is_for_it() -> None:
    """An all-to-all's cut with a receiver counts what that one receives, and no more."""
    star = topology.star(4, link=GB)
    cut = Cut((CollectiveNeed("all_to_all", star.npus),), 0.75 / GB, "a port", part=star.npus[:1])
    assert cut.check(star)
    with pytest.raises(CertificateError, match=r"proves 2.5e-10"):
        replace(cut, receiver=star.npus[1], relay=False).check(star)


def _changed(data: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    return {**data, key: value}


def test_what_does_not_fit_is_refused_when_read() -> None:
    data = bound(topology.dgx_h100(2), "all_gather").certificate.to_dict()
    bad = [
        None, [], "cut", {}, _changed(data, "kind", "guess"), _changed(data, "kind", None),
        _changed(data, "claim", "much"), _changed(data, "claim", None),
        _changed(data, "claim", True),
        _changed(data, "claim", 10**400), _changed(data, "claim", float("inf")),
        _changed(data, "part", "npu"), _changed(data, "part", [1]), _changed(data, "inside", "no"),
        _changed(data, "inside", 1), _changed(data, "needs", [data]), _changed(data, "needs", {}),
        _changed(data, "more", 1), data["needs"][0],
        *({key: data[key] for key in data if key != gone} for gone in data),
    ]  # fmt: skip
    for one in bad:
        with pytest.raises(CertificateError):
            read_certificate(one).check(topology.dgx_h100(2))  # type: ignore[arg-type]
    wrong = _changed(data["needs"][0], "collective", "all_gathr")
    with pytest.raises(topology.SupernodeError, match="all_gathr"):
        read_certificate(_changed(data, "needs", [wrong])).check(topology.dgx_h100(2))


def _distances(graph: nx.DiGraph, lengths: dict[tuple[str, str], float]) -> dict[str, Any]:
    for u, v in graph.edges:
        graph.edges[u, v]["y"] = lengths.get((u, v), 0.0)
    return dict(nx.all_pairs_dijkstra_path_length(graph, weight="y"))


@settings(max_examples=15)
@given(networks(), st.data())
def test_any_lengths_against_networkx(machine: Supernode, data: st.DataObject) -> None:
    """Σ demand · distance over Σ capacity · length, by NetworkX's Dijkstra."""
    edges = sorted(machine.graph.edges)
    values = data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=len(edges),
                                max_size=len(edges)))  # fmt: skip
    lengths = dict(zip(edges, values, strict=True))
    far = _distances(nx.DiGraph(machine.graph), lengths)
    p = len(machine.npus)
    needed = sum(far[u][v] for u in machine.npus for v in machine.npus) / p
    offered = sum(machine.graph.edges[e]["capacity"] * y for e, y in lengths.items())
    rows = tuple((y, tuple(e for e in edges if lengths[e] == y)) for y in sorted(set(values)))
    proof = Lengths((CollectiveNeed("all_to_all", machine.npus),), links=rows)
    if needed == 0:
        return
    assert proof.seconds_per_byte(machine) == pytest.approx(needed / offered, rel=1e-12)


def test_lengths_do_not_bound_what_may_be_copied() -> None:
    star = topology.star(4, link=GB)
    proof = bound(star, "all_to_all").certificate
    with pytest.raises(CertificateError, match="copied"):
        replace(proof, needs=(CollectiveNeed("all_gather", star.npus),)).check(star)
    alone = bound(star, "all_gather", relay=False)
    assert alone.certificate.check(star)


def test_a_cut_switch_needs_a_limit_on_the_far_side() -> None:
    graph = nx.DiGraph(topology.star(4, link=1 * GB).graph)
    graph.nodes["switch/0"]["capacity"] = 0.5 * GB
    machine = topology.from_networkx(graph, npus=[f"npu/{n}" for n in range(4)])
    proof = bound(machine, "all_gather").certificate
    assert isinstance(proof, Cut)
    assert proof.halved == ("switch/0",)
    assert proof.check(machine)
    with pytest.raises(CertificateError, match="no switch of star"):
        proof.check(topology.star(4, link=1 * GB))
    with pytest.raises(CertificateError, match="receiving side"):
        replace(proof, part=("npu/0", "switch/0"), inside=True).check(machine)


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "proof.json"
    machine = "dgx-h100:nodes=2"
    assert main(["bound", machine, "all-reduce", "--no-sensitivity", "-o", str(file)]) == 0
    capsys.readouterr()
    assert main(["bound", machine, "--check", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("The proof holds on dgx-h100-2-nodes: all-reduce on 16 ranks is not")
    assert "400 GB/s" in said
    data = json.loads(file.read_text(encoding="utf-8"))
    data["certificate"]["claim"] *= 2
    file.write_text(json.dumps(data), encoding="utf-8")
    for words in ([machine, "--check", str(file)], [machine, "--check", "nowhere.json"], [machine],
                  [machine, "all-reduce", "--check", str(file)]):  # fmt: skip
        assert main(["bound", *words]) == 2
        assert capsys.readouterr().err.startswith("supernode: ")


def test_results_print_well() -> None:
    machine = topology.cloudmatrix384()
    worth = sensitivity(topology.star(3, link=GB), "all_gather")[0]
    for kind in ("all_gather", "all_to_all", "all_reduce", "barrier"):
        found = bound(machine, kind).at(1e6)
        for one in (found, found.certificate, gather_bound(machine), worth):
            assert max(map(len, str(one).splitlines())) <= 80
            assert len(str(one).splitlines()) <= 8
            assert "\n" not in repr(one)
            assert len(repr(one)) <= 110
