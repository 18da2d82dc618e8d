"""``supernode export``, and spec files and saved machines wherever a machine is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import topology
from collectives.cli import main
from collectives.cli.commands.arguments import load_system

SPECS = Path(__file__).parents[3] / "examples" / "specs"


def test_an_exported_machine_is_analysed_like_itself(tmp_path, capsys):
    path = tmp_path / "pod.json"
    assert main(["export", "cloudmatrix384:nodes=4", "-o", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "file": str(path), "name": "cloudmatrix384-4-nodes", "npus": 32, "nodes": 90,
        "edges": topology.cloudmatrix384(4).graph.number_of_edges(),
    }  # fmt: skip
    answers = []
    for system in ("cloudmatrix384:nodes=4", str(path)):
        assert main(["analyze", system, "all-to-all", "1MiB"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_the_words_of_an_export(tmp_path, capsys):
    path = tmp_path / "rack.json"
    assert main(["export", "gb200-nvl72", "-o", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"{path} holds gb200-nvl72: 72 NPUs, 198 nodes, 2,880 directed links")


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_spec_of_the_examples_is_a_machine(spec):
    assert load_system(str(spec)).npus


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "gb200-nvl72", "-o", "x.xml"], "'x.xml': the file's name must end in .json"),
        (["export", "gb200-nvl72"], "the following arguments are required: -o"),
        (["analyze", "none.toml", "all-to-all", "1MiB"], "none.toml cannot be read"),
        (["analyze", "none.json", "all-to-all", "1MiB"], "none.json cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_named(words, said, capsys):
    assert main(words) == 2
    assert said in capsys.readouterr().err
