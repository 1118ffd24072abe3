"""The catalogues hold what the code says, and `tools/catalogues.py` finds everything that is wrong with them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PO = "ragkit/i18n/locale/zh/LC_MESSAGES/ragkit.po"
CODE = """
LAMPS = coded("lamps", "{count} lamp is on in {room}.", "{count} lamps are on in {room}.")
WORD = Message("Good morning")
"""
PAGE = '<p>{{ _("{count} door", "{count} doors", count=doors) }}'
TRANSLATED = {
    'lamps are on in {room}."\nmsgstr[0] ""': 'lamps are on in {room}."\nmsgstr[0] "{room} 有 {count} 盏灯亮着。"',
    'doors"\nmsgstr[0] ""': 'doors"\nmsgstr[0] "{count} 扇门"',
    'msgid "Good morning"\nmsgstr ""': 'msgid "Good morning"\nmsgstr "早上好"',
}


def tool(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/catalogues.py"), "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def change(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, "utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two sentences and their translations."""
    (tmp_path / PO).parent.mkdir(parents=True)
    (tmp_path / PO).touch()
    (tmp_path / "ragkit/rooms.py").write_text(CODE, "utf-8")
    (tmp_path / "ragkit/page.html.jinja").write_text(PAGE, "utf-8")
    assert tool(tmp_path).stdout.count("no translation") == 3
    change(tmp_path / PO, *TRANSLATED.items())
    assert tool(tmp_path).returncode == 0
    return tmp_path


def test_the_catalogues_of_ragkit_are_whole() -> None:
    done = tool(ROOT, "--check")
    assert (done.stdout, done.returncode) == ("The catalogues are whole.\n", 0)


CODE_FAULTS = [
    ('Message("Good morning")', 'Message("Good evening")', "zh: no translation: Good evening"),
    ('Message("Good morning")', "None", "zh: not said any more: Good morning"),
    ("lamps are on", "lamps burn", "zh: another plural: {count} lamp is on in {room}."),
    ('Message("Good morning")', 'coded("lamps", "Good morning")', "the code lamps has another sentence too"),
    ("WORD =", 'X = coded("other", "{count} lamp is on in {room}.")\nWORD =', "it has another code too, lamps"),
    ("WORD =", 'X = Message("{count} lamp is on in {room}.")\nWORD =', "it has another plural elsewhere"),
    ("lamps are on in {room}", "lamps are on in {hall}", "its plural has other values"),
    ('Message("Good morning")', "Message(WORDS[0])", "rooms.py:3: the sentence given to Message is not written out"),
    ('Message("Good morning")', 'Message(f"Good {x}")', "rooms.py:3: the sentence given to Message is not written out"),
]


@pytest.mark.parametrize(("before", "after", "told"), CODE_FAULTS, ids=[told for *_, told in CODE_FAULTS])
def test_what_is_wrong_with_the_code_is_told(checkout: Path, before: str, after: str, told: str) -> None:
    change(checkout / "ragkit/rooms.py", (before, after))
    done = tool(checkout, "--check")
    assert told in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ('_("{count} door")', "zh: another plural: {count} door"),
        ("_(words)", "page.html.jinja:1: the sentence given to _ is not written out here"),
    ],
)
def test_what_is_wrong_with_a_page_is_told(checkout: Path, after: str, told: str) -> None:
    change(checkout / "ragkit/page.html.jinja", ('_("{count} door", "{count} doors", count=doors)', after))
    assert told in tool(checkout, "--check").stdout


CATALOGUE_FAULTS = [
    ('"早上好"', '""', "zh: no translation: Good morning"),
    ("#. code: lamps", "#. code: lamps\n#, fuzzy", "zh: no translation: {count} lamp"),
    ("{room} 有", "{hall} 有", "zh: other values: {count} lamp"),
    ("{count} 盏", "一盏", "zh: other values: {count} lamp"),
    (
        "亮着。",
        '亮着。"\nmsgstr[1] "{room} 有 {count} 盏灯。',
        "zh: ragkit.po cannot be read: msg has more translations than num_plurals",
    ),
    ("nplurals=1; plural=0", "nplurals=2; plural=(n != 1)", "zh: the language has other plural forms than nplurals=2"),
    ('msgstr[0] "{count} 扇门', 'msgstr[1] "{count} 扇门', "zh: ragkit.po cannot be read"),
    ("早上好", "早安", "zh: ragkit.mo is not made from ragkit.po"),
]


@pytest.mark.parametrize(("before", "after", "told"), CATALOGUE_FAULTS, ids=[told for *_, told in CATALOGUE_FAULTS])
def test_what_is_wrong_with_a_catalogue_is_told(checkout: Path, before: str, after: str, told: str) -> None:
    change(checkout / PO, (before, after))
    done = tool(checkout, "--check")
    assert told in done.stdout
    assert done.returncode == 1


def test_translations_are_kept_and_what_is_not_said_goes(checkout: Path) -> None:
    change(checkout / "ragkit/rooms.py", ("WORD =", 'EVENING = Message("Good evening")\n_ ='), ("morning", "night"))
    assert "no translation: Good evening" in tool(checkout).stdout
    text = (checkout / PO).read_text("utf-8")
    assert "{room} 有 {count} 盏灯亮着。" in text
    assert "早上好" not in text
    before = ((checkout / PO).read_bytes(), (checkout / PO).with_suffix(".mo").read_bytes())
    tool(checkout)
    assert before == ((checkout / PO).read_bytes(), (checkout / PO).with_suffix(".mo").read_bytes())


def test_a_language_is_added_by_its_catalogue(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "ragkit", tmp_path / "ragkit", ignore=shutil.ignore_patterns("__pycache__", "*.gz", "*.onnx")
    )
    german = tmp_path / PO.replace("/zh/", "/de/")
    german.parent.mkdir(parents=True)
    german.touch()
    tool(tmp_path)
    example, row = 'msgid "Example:"\nmsgstr ""', 'msgid_plural "{count} files."\nmsgstr[0] ""\nmsgstr[1] ""'
    files = 'msgid_plural "{count} files."\nmsgstr[0] "{count} Datei."\nmsgstr[1] "{count} Dateien."'
    change(german, (example, 'msgid "Example:"\nmsgstr "Beispiel:"'), (row, files))
    tool(tmp_path)
    shown = "import sys; from ragkit.frontends.cli.show.terminal import tr; from ragkit.frontends.cli import main;"
    counted = "print(*(tr('{count} file.', '{count} files.', count=n) for n in (0, 1, 2))); main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", shown + counted],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "LANG": "de_AT.UTF-8", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.stdout.startswith("0 Dateien. 1 Datei. 2 Dateien.\n")
    assert "Beispiel:" in done.stdout
    assert "Index a folder of documents" in done.stdout  # not translated yet
