"""HammingMesh."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topology
from tests.topology.shapes.graphs import (
    LINK,
    by_coord,
    carries_everywhere,
    diameter,
    is_automorphism,
    isomorphic,
    valid,
)
from topology import Supernode, SupernodeError

pair = st.tuples(st.integers(1, 4), st.integers(1, 4))


def _ports(shape: Supernode, node: str) -> int:
    return int(sum(edge["lanes"] for *_, edge in shape.graph.out_edges(node, data=True)))


@given(board=pair, boards=pair)
def test_ports_and_lines(board: tuple[int, int], boards: tuple[int, int]) -> None:
    shape = topology.hamming_mesh(board, boards, link=LINK, board_link=2 * LINK)
    valid(shape)
    (a, b), (y, x) = board, boards
    place = nx.get_node_attributes(shape.graph, "coord")
    home = nx.get_node_attributes(shape.graph, "node")
    assert len(shape.npus) == a * b * x * y
    if x > 1 and y > 1:
        assert {_ports(shape, npu) for npu in shape.npus} == {4}
    rows = [n for n in shape.graph if n.startswith("row/")]
    columns = [n for n in shape.graph if n.startswith("column/")]
    assert len(rows) == (a * y if x > 1 else 0)
    assert len(columns) == (b * x if y > 1 else 0)
    assert {_ports(shape, n) for n in rows} <= {2 * x}
    assert {_ports(shape, n) for n in columns} <= {2 * y}
    for hubs, axis in ((rows, 0), (columns, 1)):
        for hub in hubs:
            assert {place[npu][axis] for npu in shape.graph[hub]} == {int(hub.split("/")[1])}
            edge = {place[npu][1 - axis] % board[1 - axis] for npu in shape.graph[hub]}
            assert edge == {0, board[1 - axis] - 1}
    for u, v, data in shape.graph.edges(data=True):
        inside = u in home and v in home
        assert data["capacity"] / data["lanes"] == (2 * LINK if inside else LINK)
        if inside:
            assert home[u] == home[v]
            assert sum(abs(i - j) for i, j in zip(place[u], place[v], strict=True)) == 1


@given(board=pair, boards=pair)
def test_boards_are_interchangeable(board: tuple[int, int], boards: tuple[int, int]) -> None:
    shape = topology.hamming_mesh(board, boards, link=LINK)
    size = [k * n for k, n in zip(board, boards, strict=True)]
    at = {d["coord"]: n for n, d in shape.graph.nodes(data=True) if "coord" in d}

    def turn(axis: int) -> object:
        def image(node: str) -> str:
            word, index = node.split("/")
            if word == "npu":
                place = list(shape.graph.nodes[node]["coord"])
                place[axis] = (place[axis] + board[axis]) % size[axis]
                return at[tuple(place)]
            if (word == "row") == (axis == 0):
                return f"{word}/{(int(index) + board[axis]) % size[axis]}"
            return node

        return image

    assert all(is_automorphism(shape, turn(axis)) for axis in range(2))
    if board == (1, 1):
        assert carries_everywhere(shape, [turn(0), turn(1)])


def test_boards_alone_and_boards_of_one() -> None:
    alone = topology.hamming_mesh((3, 4), (1, 1), link=LINK)
    assert isomorphic(alone, topology.mesh((3, 4), link=LINK))
    line = topology.hamming_mesh((1, 1), (1, 5), link=LINK)
    assert isomorphic(line, topology.star(5, link=LINK, lanes=2))
    assert {_ports(line, npu) for npu in line.npus} == {2}
    grid = topology.hamming_mesh((1, 1), (4, 4), link=LINK)
    assert isomorphic(grid, topology.bcube(4, 1, link=LINK))
    assert is_automorphism(alone, by_coord(alone, lambda c: (2 - c[0], 3 - c[1])))


def test_hx2mesh() -> None:
    """Every NPU of a 2 x 2 board is on a row and a column switch."""
    shape = topology.hamming_mesh((2, 2), (4, 4), link=LINK)
    for npu in shape.npus:
        words = sorted(v.split("/")[0] for v in shape.graph[npu])
        assert words == ["column", "npu", "npu", "row"]
    assert diameter(shape) == 4


@pytest.mark.parametrize(
    ("board", "boards", "words"),
    [
        ((2, 2, 2), (1, 1), "board is (2, 2, 2)"),
        ((2, 2), 4, "boards is 4"),
        ((0, 2), (1, 1), "board[0] is 0"),
        ((2, 2), (1, -3), "boards[1] is -3"),
    ],
)
def test_bad_parameters_give_one_clear_error(board: object, boards: object, words: str) -> None:
    with pytest.raises(SupernodeError) as error:
        topology.hamming_mesh(board, boards, link=LINK)
    assert words in str(error.value)
