"""Words stay whole, lines keep to their width, and HTML is escaped."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topology.text import Printed, Table, counted, html_parts, plain

WORDS = st.text("abcdefghij-/.", min_size=1, max_size=24)
CELLS = st.lists(WORDS, max_size=8).map(" ".join)
SENTENCE = "450 GB/s scale-up of http://example.org/a/very/long/address/that/cannot/be/broken"
WIDE = Table(
    "all of it",
    ("class", *(f"column {i}" for i in range(9))),
    [(f"row-{j}", *(f"{i}{j} GB/s" for i in range(9))) for j in range(3)],
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 6))
    row = st.lists(CELLS, min_size=count, max_size=count)
    return Table(draw(CELLS), draw(row), draw(st.lists(row, max_size=4)))


@given(tables(), st.integers(20, 120))
@settings(max_examples=60)
def test_no_word_is_broken_and_none_is_lost(table: Table, width: int) -> None:
    shown = plain(table, width=width).split()
    for cell in [*table.headers, *(cell for row in table.rows for cell in row)]:
        for word in cell.split():
            if any(table.headers) or cell not in table.headers:
                assert word in shown


@given(tables(), st.integers(20, 120))
@settings(max_examples=60)
def test_lines_keep_to_the_width_where_two_words_and_a_key_fit(table: Table, width: int) -> None:
    rows = ([table.title], table.headers, *table.rows)
    words = [word for row in rows for cell in row for word in cell.split()]
    if 3 * (max(map(len, words), default=0) + 3) + 2 <= width:
        assert all(len(line) <= width for line in plain(table, width=width).splitlines())


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_wide_table_comes_in_pieces_that_name_their_rows(width: int) -> None:
    lines = plain(WIDE, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("row-1" in line for line in lines) == sum("class" in line for line in lines) > 1
    assert "all of it" in lines[0]
    for i in range(9):
        assert sum(f"{i}1 GB/s" in line for line in lines) == 1, "a number stays with its unit"


def test_rows_that_share_a_key_are_named_by_two() -> None:
    rows = [(kind, size, *("9.999 GB/s" for _ in range(8))) for kind in "ab" for size in ("1", "2")]
    shown = plain(Table("", ("kind", "size", *"cdefghij"), rows), width=50)
    assert shown.count("kind   size") > 1


def test_columns_that_say_the_same_in_every_row_name_none() -> None:
    """Pieces repeat what tells rows apart: kind and size, not the machine nor a count."""
    rows = [("star", kind, "8", size, *("9.999 GB/s" for _ in range(6)))
            for kind in "ab" for size in ("1 B", "2 B")]  # fmt: skip
    shown = plain(Table("", ("machine", "kind", "ranks", "size", *"cdefgh"), rows), width=60)
    assert shown.count("kind   size") > 0
    assert shown.count("kind") > 1
    assert shown.count("machine") == shown.count("ranks") == 1


def test_figures_are_set_to_the_right_and_sentences_are_not() -> None:
    rows = [("a", "9 GB/s", "2 × what the guide of the machine says, as quoted somewhere"),
            ("b", "12 GB/s", "no guide")]  # fmt: skip
    first, second = plain(Table("", ("of", "rate", "source"), rows), width=100).splitlines()[3:5]
    assert first.index("9 GB/s") == second.index("12 GB/s") + 1
    assert first.index("2 ×") == second.index("no guide")


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 hops"), (1, "1 hop"), (1.0, "1 hop"), (1.001, "1 hop"), (1.25, "1.25 hops"),
     (2, "2 hops"), (1000, "1,000 hops")],
)  # fmt: skip
def test_one_of_something_is_not_several(count: float, said: str) -> None:
    assert counted(count, "hop") == said


def test_sentences_break_between_words() -> None:
    assert plain(SENTENCE, width=30).splitlines() == [
        "450 GB/s scale-up of",
        "http://example.org/a/very/long/address/that/cannot/be/broken",
    ]


@pytest.mark.parametrize(("columns", "width"), [("50", 50), ("200", 200), ("", 80), ("x", 80)])
def test_text_keeps_to_columns_or_80(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    longest = max(map(len, plain("word " * 100).splitlines()))
    assert width - 5 < longest <= width


def test_html_is_escaped_and_has_every_cell() -> None:
    text = html_parts(
        ["a < b", Table("t & u", ("x",), [("<script>",)]), Table("", ("",), [("y",)])]
    )
    assert "<p>a &lt; b</p>" in text
    assert "<caption>t &amp; u</caption>\n<tr><th>x</th></tr>" in text
    assert "<td>&lt;script&gt;</td>" in text
    assert '<table class="words">\n<tr><td>y</td></tr>' in text


def test_a_result_prints_in_three_ways() -> None:
    class Result(Printed):
        def parts(self) -> list[str | Table]:
            return ["the answer", Table("", ("a",), [("1",)])]

    assert str(Result()).startswith("the answer\n")
    assert repr(Result()) == "<Result: the answer>"
    assert Result()._repr_html_().startswith("<p>the answer</p>\n<table>")
