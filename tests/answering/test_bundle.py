"""Bundles: an answer with its proof in one page that does nothing, and what became of its files since."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragkit.answering.bundle.html import from_html, to_html
from ragkit.testing import ScriptedOllama
from ragkit.types.bundle import Bundle, BundledModel, BundledQuote, BundledSource
from ragkit.types.documents import Place
from tests.helpers.json_outputs import assert_fits
from tests.helpers.terminal import Terminal, terminal_in

EVIL = '</pre></details><script>alert(1)</script><img src="http://evil/x" onerror=alert(1)> \u202e & <b>bold</b>'


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as running:
        yield running


@pytest.fixture
def terminal(tmp_path: Path, server: ScriptedOllama) -> Terminal:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / "evil.txt").write_text(f"The hostile phrase is {EVIL} here.", "utf-8")
    assert terminal("index", "docs").returncode == 0
    server.answer = '"15 days of annual leave" [1]'
    return terminal


def page(terminal: Terminal, question: str = "How many days of annual leave?", **environment: str) -> str:
    done = terminal("ask", question, "--bundle", "out.html", **environment)
    assert done.returncode in (0, 5), done.stderr
    return (terminal.folder / "out.html").read_text("utf-8")


def check(terminal: Terminal, *words: str) -> tuple[int, dict[str, Any]]:
    done = terminal("check-bundle", "out.html", "--json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


class Tags(HTMLParser):
    """The elements of a page, which must nest, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets |= {value or "" for name, value in attrs if name == "href"}
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def check_harmless(text: str) -> None:
    tags = Tags(text)
    assert not tags.names & {"script", "img", "link", "iframe", "object", "embed", "form", "svg", "base", "video"}
    assert tags.attributes <= {"lang", "charset", "http-equiv", "content", "name", "dir", "class", "id", "href"}
    assert all(target.startswith("#source-") for target in tags.targets)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\x7f-\x9f]", text)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert not re.search(r"url\(|@import", style)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'" in text


def test_a_bundle_proves_its_answer(terminal: Terminal) -> None:
    text = page(terminal)
    check_harmless(text)
    assert "Staff have <mark>15 days of annual leave</mark>.\n" in text
    assert "✓ verified" in text
    source = terminal.folder / "docs" / "leave.md"
    assert hashlib.sha256(source.read_bytes()).hexdigest() in text
    assert str(source) in text
    data = json.loads(html.unescape(text.partition('<pre id="ragkit-bundle">')[2].partition("</pre>")[0]))
    assert [(model["name"], model["backend"]) for model in data["models"]] == [("embed", "ollama"), ("chat", "ollama")]
    assert all(re.fullmatch("[0-9a-f]{64}", model["digest"]) for model in data["models"])
    assert data["settings"]["options.temperature"] == 0.0
    assert data["settings"]["retrieval.k"] == 8
    code, found = check(terminal)
    assert (code, found["changed"], found["page_intact"]) == (0, False, True)
    assert_fits("check-bundle", found)


def test_a_chinese_bundle(terminal: Terminal, server: ScriptedOllama) -> None:
    server.answer = "十五天（“每年享有十五天年假”）[1]。"
    text = page(terminal, "年假有几天？", RAGKIT_LANG="zh")
    assert '<html lang="zh-CN">' in text
    assert "员工<mark>每年享有十五天年假</mark>。" in text
    assert "✓ 已核对" in text
    done = terminal("check-bundle", "out.html", RAGKIT_LANG="zh")
    assert (done.returncode, "仍然成立" in done.stdout) == (0, True)


def test_what_is_not_verified_is_marked(terminal: Terminal, server: ScriptedOllama) -> None:
    server.answer = '"90 days of annual leave" [1] and "15 days of annual leave" [1]'
    text = page(terminal)
    assert "✗ NOT verified" in text
    assert '<span class="unproved" dir="auto">90 days of annual leave</span>' in text
    code, found = check(terminal)
    assert [quote["stands"] for quote in found["sources"][0]["quotes"]] == [False, True]
    assert code == 0  # it was never verified: nothing changed
    assert "was never verified" in terminal("check-bundle", "out.html").stdout


def test_a_hostile_document_is_only_text(terminal: Terminal, server: ScriptedOllama) -> None:
    server.answer = f"“The hostile phrase is {EVIL} here” [1] {EVIL}"
    text = page(terminal, f"What is the hostile phrase? {EVIL}")
    check_harmless(text)
    assert '<span class="odd">⟨U+202E⟩</span>' in text
    assert "✓ verified" in text
    assert check(terminal)[0] == 0
    assert "\u202e" not in terminal("check-bundle", "out.html").stdout


def test_a_refusal_shows_where_was_looked(terminal: Terminal, server: ScriptedOllama) -> None:
    server.answer = "The documents do not say."
    text = page(terminal, "annual leave")
    check_harmless(text)
    assert "Nearest passages:" in text
    assert "verified" not in text.partition("<body>")[2].partition("<details>")[0]
    assert check(terminal)[0] == 0


def test_a_changed_file_is_told_with_the_quotes_that_still_stand(terminal: Terminal, server: ScriptedOllama) -> None:
    page(terminal)
    file = terminal.folder / "docs" / "leave.md"
    file.write_text("# Leave\n\nStaff have 15 days of annual\nleave, and a cake.\n", "utf-8")
    code, found = check(terminal)
    [source] = found["sources"]
    assert (code, source["state"], source["quotes"][0]["stands"]) == (8, "changed", True)
    file.write_text("# Leave\n\nStaff have 16 days of annual leave.\n", "utf-8")
    [source] = check(terminal)[1]["sources"]
    assert (source["state"], source["quotes"][0]["stands"]) == ("changed", False)
    assert "stands no more" in terminal("check-bundle", "out.html").stdout


def test_a_file_that_moved_or_is_gone(terminal: Terminal, tmp_path: Path) -> None:
    page(terminal)
    file = tmp_path / "docs" / "leave.md"
    (tmp_path / "docs" / "old").mkdir()
    moved = file.rename(tmp_path / "docs" / "old" / "ferien.md")
    code, found = check(terminal)
    [source] = found["sources"]
    assert (code, source["state"], source["found_at"]) == (8, "moved", str(moved))
    assert source["quotes"][0]["stands"] is True
    (tmp_path / "away").mkdir()
    away = moved.rename(tmp_path / "away" / "ferien.md")
    [source] = check(terminal)[1]["sources"]
    assert (source["state"], source["quotes"][0]["stands"]) == ("gone", None)
    [source] = check(terminal, "--in", "away")[1]["sources"]
    assert (source["state"], source["found_at"]) == ("moved", str(away))
    assert terminal("index", "away").returncode == 0  # the index knows it now
    assert check(terminal)[1]["sources"][0]["found_at"] == str(away)


def test_a_file_that_cannot_be_read_any_more(terminal: Terminal) -> None:
    page(terminal)
    (terminal.folder / "docs" / "leave.md").write_bytes(b"")
    code, found = check(terminal)
    [source] = found["sources"]
    assert (code, source["state"], source["quotes"][0]["stands"]) == (8, "unreadable", None)
    assert source["reason"]


def test_an_edited_page_is_found_out(terminal: Terminal) -> None:
    text = page(terminal)
    file = terminal.folder / "out.html"
    shown, data, rest = text.partition('<pre id="ragkit-bundle">')
    file.write_text(shown.replace("15 days", "99 days") + data + rest, "utf-8")
    code, found = check(terminal)
    assert (code, found["page_intact"]) == (8, False)
    forged = from_html(text)
    quote = replace(forged.quotes[0], quote="99 days of annual leave", cited="99 days of annual leave")
    file.write_text(to_html(replace(forged, quotes=(quote,))), "utf-8")
    code, found = check(terminal)
    assert (code, found["page_intact"], found["sources"][0]["quotes"][0]["stands"]) == (8, True, False)
    file.write_text(to_html(replace(forged, version="9.9")), "utf-8")
    code, found = check(terminal)
    assert (code, found["page_intact"]) == (0, None)


def test_a_bundle_can_be_checked_without_its_index(terminal: Terminal) -> None:
    page(terminal)
    assert terminal("--index", "nowhere", "check-bundle", "out.html", OLLAMA_HOST="127.0.0.1:9").returncode == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<p>hello",
        b'<pre id="ragkit-bundle">{}</pre>',
        b'<pre id="ragkit-bundle">[1]</pre>',
        b'<pre id="ragkit-bundle">' + b"[" * 100_000 + b"</pre>",
        b'<pre id="ragkit-bundle">{"ragkit_bundle": 1}</pre>',
        b'<pre id="ragkit-bundle">1</pre><pre id="ragkit-bundle">1</pre>',
    ],
    ids=["empty", "other", "no keys", "list", "deep", "hardly any", "two"],
)
def test_what_is_no_bundle_is_refused(indexed: Terminal, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.html").write_bytes(content)
    done = indexed("check-bundle", str(tmp_path / "x.html"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a bundle of ragkit" in done.stderr


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, server: ScriptedOllama) -> Terminal:
    return terminal_in(tmp_path_factory.mktemp("none"), server)


def test_nothing_is_written_over_and_nothing_asked_in_vain(terminal: Terminal, server: ScriptedOllama) -> None:
    (terminal.folder / "out.html").write_text("mine", "utf-8")
    asked = len(server.prompts())
    done = terminal("ask", "annual leave", "--bundle", "out.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is there already" in done.stderr
    assert len(server.prompts()) == asked
    done = terminal("ask", "annual leave", "--bundle", "no/such/folder.html")
    assert "Cannot write" in done.stderr


TEXT = st.text(max_size=40) | st.sampled_from([EVIL, "</style>", "<!--", "]]>", "⟨U+202E⟩", "[1]", "\ud800", "中文。"])
PLACES = st.builds(
    Place,
    st.none() | st.integers(1, 9),
    st.none() | st.integers(1, 9),
    st.sampled_from(["page", "sheet", "file"]),
    TEXT,
)
QUOTES = st.builds(BundledQuote, st.integers(1, 99), TEXT, PLACES, TEXT, st.booleans(), TEXT, TEXT, TEXT)
BUNDLES = st.builds(
    Bundle,
    version=TEXT,
    made_at=TEXT,
    language=st.sampled_from(["en", "zh"]),
    question=TEXT,
    query=TEXT,
    answer=TEXT,
    refused=st.booleans(),
    mode=TEXT,
    unread_count=st.integers(0, 9),
    quotes=st.lists(QUOTES, max_size=3).map(tuple),
    sources=st.lists(st.builds(BundledSource, TEXT, TEXT, st.integers(0, 9)), max_size=2).map(tuple),
    models=st.lists(
        st.builds(BundledModel, st.sampled_from(["answer", "embedding"]), TEXT, TEXT, TEXT), max_size=2
    ).map(tuple),
    settings=st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT, max_size=2), max_size=2),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(BUNDLES)
def test_any_bundle_is_harmless_and_reads_back(bundle: Bundle) -> None:
    text = to_html(bundle)
    text.encode("utf-8")
    check_harmless(text)
    assert from_html(text) == bundle


def test_its_colours_can_be_read_in_light_and_dark() -> None:
    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    page = to_html(Bundle("", "", "en", "", "", "", False, "", 0, (), (), (), {}, ()))
    for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL):
        colour = dict(re.findall(r"--(\w+): (#\w+)", block))
        pairs = [(ink, back) for ink in ("ink", "dim", "good", "bad") for back in ("paper", "card")]
        for ink, back in [*pairs, ("ink", "mark"), ("ink", "badmark")]:
            assert contrast(colour[ink], colour[back]) >= 4.5, (ink, back)
