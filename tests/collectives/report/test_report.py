"""The HTML report: whole in itself, and read by a real browser without an error or a request."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import collectives
import topology
from collectives.cli import main
from collectives.report.html import report, sources_of, write_report
from topology import SupernodeError
from topology.units import GB, MiB

MACHINE = topology.dgx_h100(nodes=2)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.\w", re.IGNORECASE)


@pytest.fixture(scope="module")
def page() -> str:
    return report([MACHINE, topology.dgx_h100(nodes=1)], size=8 * MiB)


class _Reader(HTMLParser):
    """Collect what a page asks for, its text, and whether its tags match."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "xlink:href", "data", "action", "srcset"):
                self.asked.append((tag, name, value or ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader


class TestPage:
    def test_tags_match(self, page: str) -> None:
        assert _read(page).open == []

    def test_nothing_outside_is_asked_for(self, page: str) -> None:
        reader = _read(page)
        assert all(value.startswith("#") for _, _, value in reader.asked)
        assert not {"script", "link", "img", "iframe", "object", "image"} & set(reader.tags)
        assert "@import" not in page
        assert all(name.startswith("#") for name in re.findall(r"url\(([^)]*)\)", page))
        assert not _ADDRESS.search(re.sub(r">[^<]*<", "><", page))

    def test_names_that_are_used_are_there(self, page: str) -> None:
        there = set(re.findall(r'\bid="([^"]+)"', page))
        used = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
        assert used <= there

    def test_it_says_what_limits(self, page: str) -> None:
        text = " ".join(_read(page).text)
        for kind in ("all_to_all", "all_reduce"):
            analysis = collectives.analyze(MACHINE, kind, 8 * MiB)
            assert analysis.bottleneck.sentence in text
        assert MACHINE.name in text

    def test_sources_are_named(self, page: str) -> None:
        text = " ".join(_read(page).text)
        sources = sources_of(MACHINE)
        assert len(sources) >= 2
        assert all(source in text for source in sources)

    def test_pictures_have_words_for_those_who_cannot_see_them(self, page: str) -> None:
        assert page.count("<svg") == page.count('role="img" aria-label="')
        assert page.count("<svg") >= 10

    def test_names_are_escaped(self) -> None:
        star = topology.star(2, link=GB)
        odd = topology.Supernode("<b>&machine", star.graph, star.npus)
        made = report([odd], kinds=["all_reduce"], size=MiB)
        assert "&lt;b&gt;&amp;machine" in made
        assert "<b>" not in made


class TestCommand:
    def test_it_writes_what_the_call_returns_every_time(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "r.html"
        words = ["report", "dgx-h100:nodes=1", "--collectives", "all-reduce", "-o", str(target)]
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["file"] == str(target)
        written = target.read_text(encoding="utf-8")
        assert written.startswith("<!DOCTYPE html>")
        assert written == report([topology.dgx_h100(nodes=1)], kinds=["all_reduce"])

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-o", "r.pdf"], "written as .html"),
            (["-o", "nowhere/r.html", "--collectives", "all-reduce"], "cannot be written"),
            (["-o", "r.html", "--size", "64"], "no unit"),
            (["-o", "r.html", "--collectives", "all-reduse"], "did you mean all_reduce"),
        ],
    )
    def test_what_is_wrong_is_said(
        self,
        words: list[str],
        said: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["report", "gaudi3", *words]) == 2
        assert said in capsys.readouterr().err
        assert not list(tmp_path.iterdir())

    def test_no_machine_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SupernodeError, match="one or more"):
            write_report(tmp_path / "r.html", [])


def _browser() -> str:
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(_BROWSERS)} is on the path")
    return found


def _open(browser: str, page: Path, folder: Path) -> tuple[str, str, list[str]]:
    """Return the page as a browser leaves it, its console, and the addresses it asked for."""
    log = folder / "net.json"
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-extensions", "--disable-sync", "--disable-default-apps",
        "--enable-logging=stderr", "--virtual-time-budget=5000",
        f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
    ]  # fmt: skip
    ran = subprocess.run(
        [browser, *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    console = "\n".join(line for line in ran.stderr.splitlines() if "CONSOLE" in line)
    asked = re.findall(r'"url":"((?:https?|wss?|ftp):[^"]*)"', log.read_text(errors="replace"))
    return ran.stdout, console, asked


_MEASURE = """<script>
const lines = [...document.querySelectorAll('.bottleneck')];
const seen = lines.filter(p => { const b = p.getBoundingClientRect();
  return b.width > 50 && b.height > 5 && getComputedStyle(p).visibility === 'visible'; });
const pictures = [...document.querySelectorAll('figure svg')].filter(s => {
  const b = s.getBoundingClientRect(); return b.width > 300 && b.height > 100; });
document.title = 'seen ' + seen.length + ' of ' + lines.length + ', pictures ' + pictures.length;
</script></body>"""


class TestBrowser:
    """In a real headless browser, if there is one."""

    def test_no_console_error_and_no_request(self, page: str, tmp_path: Path) -> None:
        target = tmp_path / "report.html"
        target.write_text(page, encoding="utf-8")
        left, console, asked = _open(_browser(), target, tmp_path)
        assert console == ""
        own = [url for url in asked if not re.search(r"//[\w.-]*(google|gvt1)[\w.-]*\.com", url)]
        assert own == [], "the page asked for something outside"
        sentence = collectives.analyze(MACHINE, "all_reduce", 8 * MiB).bottleneck.sentence
        assert sentence in left

    def test_the_sentence_and_the_pictures_are_visible(self, page: str, tmp_path: Path) -> None:
        target = tmp_path / "measured.html"
        opened = page.replace(
            "default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';"
        )
        target.write_text(opened.replace("</body>", _MEASURE), encoding="utf-8")
        left, _, _ = _open(_browser(), target, tmp_path)
        found = re.search(r"<title>seen (\d+) of (\d+), pictures (\d+)</title>", left)
        assert found is not None
        seen, lines, pictures = map(int, found.groups())
        assert seen == lines >= 4
        assert pictures == page.count("<svg")

    def test_a_request_would_be_seen(self, tmp_path: Path) -> None:
        target = tmp_path / "bad.html"
        target.write_text('<img src="http://127.0.0.1:9/x.png"><p>x</p>', encoding="utf-8")
        _, console, asked = _open(_browser(), target, tmp_path)
        assert "http://127.0.0.1:9/x.png" in asked or "ERR_" in console
