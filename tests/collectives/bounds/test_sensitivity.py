"""What links are worth, and the command that says so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topology
from collectives.bounds import bound, sensitivity
from collectives.cli import main
from tests.strategies import networks
from topology import Supernode, SupernodeError
from topology.units import parse_size


def _gains(built: Supernode, kind: str, change: float = 0.1) -> dict[str, float]:
    return {row.name: row.gain for row in sensitivity(built, kind, change=change)}


def test_cloudmatrix_wants_wider_ports() -> None:
    """+10 % on the NPU ports: +10 % all-gather; all-to-all then meets the optics at 376/383."""
    built = topology.cloudmatrix384()
    gains = _gains(built, "all_gather")
    assert gains["NPU↔L1"] == pytest.approx(0.1, rel=1e-9)
    assert gains["L1↔L2"] == 0
    assert gains["CPU↔L1"] == 0
    assert _gains(built, "all_to_all")["NPU↔L1"] == pytest.approx(383 / 376 - 1, rel=1e-9)


def test_a_cluster_wants_faster_networks() -> None:
    gains = _gains(topology.dgx_h100(2), "all_to_all", 0.2)
    assert gains["NIC↔leaf"] == pytest.approx(0.2)
    assert gains["NPU↔NVSwitch"] == 0


@settings(max_examples=12)
@given(networks(), st.sampled_from(["all_gather", "all_to_all", "broadcast"]))
def test_gains_keep_to_the_dual(built: Supernode, kind: str) -> None:
    """No gain is above its share in the certificate; all classes together give it all."""
    rows = sensitivity(built, kind, change=0.5)
    assert all(-1e-9 <= row.gain <= row.most + 1e-9 for row in rows)
    assert sum(row.most for row in rows) == pytest.approx(0.5, rel=1e-9)
    assert all(row.change == 0.5 for row in rows)


def test_at_a_size_capacity_is_worth_what_latency_leaves() -> None:
    """A star of four, all-gather: max(latency, 3/4 S/B), and S/B falls by the change."""
    built = topology.star(4, link="nvlink5")
    limit = bound(built, "all_gather")
    assert limit.latency > 0
    even = limit.latency / limit.seconds_per_byte  # where latency and bandwidth weigh the same
    for size, gain in [(0.0, 0.0), (even / 2, 0.0), (even * 1.05, 0.05), (even * 2, 0.1)]:
        (row,) = sensitivity(built, "all_gather", size=size)
        assert (row.gain, row.most) == pytest.approx((gain, gain))


@pytest.mark.parametrize("size", ["0B", "1KiB", "64MiB"])
def test_what_holds_for_large_sizes_only_is_said_so(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No figure beside a size's own may be of another size, in words or in JSON."""
    words = ["bound", "mi250", "all-gather", "--size", size]
    assert main([*words, "--json"]) == main(words) == 0
    data, said = capsys.readouterr().out.rsplit("}\n", 1)
    found = json.loads(data + "}")
    time, large = found["bound"]["time_s"], found["bound"].pop("large_sizes")
    assert found["bound"]["algbw_Bps"] == pytest.approx(parse_size(size) / time)
    assert large == {"algbw_Bps": pytest.approx(2.4e12 / 7), "algbw_exact_Bps": "2400000000000/7",
                     "reached_Bps": pytest.approx(2.4e12 / 7), "gap": 0.0}  # fmt: skip
    assert not {"algbw_exact_Bps", "reached_Bps", "gap"} & set(found["bound"])
    assert found["sensitivity"][0]["gain"] == pytest.approx(0.1 if size == "64MiB" else 0.0)
    own, rest = said.split("for large sizes")
    assert "2400000000000/7" in rest
    assert "the bound is the optimum" not in own
    assert "beats 0 B/s" not in said


@pytest.mark.parametrize("change", [0.0, -0.1, float("inf"), float("nan")])
def test_a_change_is_an_increase(change: float) -> None:
    with pytest.raises(SupernodeError, match="change"):
        sensitivity(topology.star(3, link=1e9), "all_gather", change=change)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bound", "cloudmatrix384:nodes=4", "all-to-all", "--size", "64MiB"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("all-to-all of 64 MiB on 32 ranks of cloudmatrix384-4-nodes: no algori")
    for word in ("certificate", "link lengths, recomputed and true", "NPU↔L1", "+10 %", "latency"):
        assert word in said


def test_the_command_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bound", "gb200-nvl72", "all-reduce", "--ranks", "0-7", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["certificate_holds"] is True
    assert found["bound"]["certificate"]["kind"] == "cut"
    assert found["bound"]["algbw_Bps"] == pytest.approx(900e9)
    assert {row["name"] for row in found["sensitivity"]} >= {"NPU↔NVSwitch"}


@pytest.mark.parametrize(
    "words",
    [("nowhere", "all-gather"), ("gb200-nvl72", "all-gathr"), ("gb200-nvl72", "broadcast", "--root",
     "72"), ("gb200-nvl72", "all-gather", "--ranks", "70-80")],
)  # fmt: skip
def test_the_command_refuses(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bound", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("supernode: ")
    assert said.err.count("\n") == 1
