"""`ragkit open` and the terminal's links: a source is shown where it stands, whatever its name is."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragkit.frontends.cli.show.links import known_to
from ragkit.store.sidecars import last_answer
from ragkit.testing import ScriptedOllama
from ragkit.types.answers import Citation
from ragkit.types.documents import Place
from tests.helpers.office_files import docx, paragraph, xlsx
from tests.helpers.paths import CHECKOUT
from tests.helpers.pdfs import text_pdf
from tests.helpers.terminal import Terminal, terminal_in

HOSTILE = "-rf $(touch owned) `id` 'q\" ;& {line} 年假.md"


@pytest.fixture
def asked(tmp_path: Path, server: ScriptedOllama) -> Terminal:
    return asked_in(tmp_path, server)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, server: ScriptedOllama) -> Terminal:
    """A terminal in which a question was just asked, for tests that leave it as it is."""
    return asked_in(tmp_path_factory.mktemp("settled"), server)


# Two languages in one question: the passage in the second is far behind, and would be left out.
ASK = ("--set", "retrieval.least_share=0", "ask", "How many days of annual leave? 年假")


def asked_in(folder: Path, server: ScriptedOllama) -> Terminal:
    """A terminal in which an English and a Chinese text were just cited."""
    terminal = terminal_in(folder, server)
    terminal.environment.pop("VISUAL", None)
    terminal.environment.pop("EDITOR", None)
    assert terminal("index", "docs").returncode == 0
    server.answer = '"15 days of annual leave" [1], “每年享有十五天年假” [2]'
    assert terminal(*ASK).returncode == 0
    return terminal


def program(folder: Path) -> list[str]:
    """A program that writes down what it was given."""
    script = folder / "program.py"
    script.write_text("import json, sys\njson.dump(sys.argv[1:], open(sys.argv[0] + '.json', 'w'))\n", "utf-8")
    return [sys.executable, str(script)]


def given(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "program.py.json").read_text("utf-8"))
    return found


def sources(terminal: Terminal) -> list[str]:
    return [str(terminal.folder / "docs" / name) for name in ("leave.md", "假期.md")]


@pytest.mark.parametrize(
    ("settings", "environment", "command"),
    [
        ({}, {"EDITOR": "vim"}, "vim +3 {file}"),
        ({}, {"EDITOR": "vim", "VISUAL": "code --wait"}, "code --wait -g {file}:3"),
        ({}, {"EDITOR": "'/opt/my editor/nano'"}, "'/opt/my editor/nano' +3 {file}"),
        ({}, {"EDITOR": "unknown -x"}, "unknown -x {file}"),
        ({"open.editor": "code -g {file}:{line}"}, {"EDITOR": "vim"}, "code -g {file}:3"),
        ({"open.editor": "ed --line={line}"}, {}, "ed --line=3 {file}"),
    ],
)
def test_a_text_opens_in_the_editor_at_the_line(
    settled: Terminal, settings: dict[str, str], environment: dict[str, str], command: str
) -> None:
    flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    for number, source in enumerate(sources(settled), 1):
        done = settled(*flags, "open", str(number), "--print", **environment)
        assert done.returncode == 0, done.stderr
        wanted = [word.replace("{file}", source) for word in shlex.split(command)]
        assert shlex.split(done.stdout) == wanted


def test_without_an_editor_the_address_is_told(settled: Terminal) -> None:
    done = settled("open", "2", "--print")
    assert done.stdout.strip() == Path(sources(settled)[1]).as_uri()
    assert "%E5%81%87" in done.stdout


def test_a_pdf_opens_at_its_page(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / "rules.pdf").write_bytes(text_pdf("Nothing is said here.", "Parking costs nine pounds."))
    terminal("index", "docs")
    server.answer = '"Parking costs nine pounds" [1]'
    assert "page 2" in terminal("ask", "Parking costs").stdout
    source = str(tmp_path / "docs" / "rules.pdf")
    assert terminal("open", "1", "--print", EDITOR="vim").stdout.strip() == Path(source).as_uri() + "#page=2"
    done = terminal("--set", "open.pdf=evince -p {page} {file}", "open", "1", "--print")
    assert shlex.split(done.stdout) == ["evince", "-p", "2", source]
    words = shlex.join(program(tmp_path))
    done = terminal("--set", f"open.pdf={words} --page={{page}}", "open", "1")
    assert done.returncode == 0, done.stderr
    assert given(tmp_path) == ["--page=2", source]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.docx", docx(paragraph("The rare word is quokka."))),
        ("b.xlsx", xlsx({"袋鼠": (("animal", "word"), ("small", "quokka"))})),
        ("c.txt", "The rare word is quokka 短尾矮袋鼠.".encode("utf-16")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_texts_go_to_the_editor(tmp_path: Path, server: ScriptedOllama, name: str, content: bytes) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / name).write_bytes(content)
    terminal("index", "docs")
    server.answer = '"quokka" [1]'
    assert f"docs{os.sep}{name}" in terminal("ask", "quokka").stdout
    printed = terminal("open", "1", "--print", EDITOR="vim").stdout
    assert printed.startswith("vim +1 " if name == "c.txt" else "file://")


def test_a_hostile_name_is_only_a_name(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / HOSTILE).write_text("# Leave\n\nLeave of the hostile file: nine days.\n", "utf-8")
    terminal("index", "docs")
    server.answer = '"nine days" [1]'
    terminal("ask", "Leave of the hostile file")
    words = shlex.join(program(tmp_path))
    done = terminal("--set", f"open.editor={words} -g {{file}}:{{line}}", "open", "1")
    assert done.returncode == 0, done.stderr
    assert given(tmp_path) == ["-g", f"{tmp_path / 'docs' / HOSTILE}:3"]
    printed = terminal("open", "1", "--print", EDITOR="vim").stdout
    assert shlex.split(printed) == ["vim", "+3", str(tmp_path / "docs" / HOSTILE)]
    assert not list(tmp_path.rglob("owned"))


def test_a_name_that_no_terminal_should_get_is_shown_as_an_address(tmp_path: Path, server: ScriptedOllama) -> None:
    terminal = terminal_in(tmp_path, server)
    (tmp_path / "docs" / "a\x1b]0;owned\x07b.md").write_text("The rare word is quokka.", "utf-8")
    terminal("index", "docs")
    server.answer = '"The rare word is quokka" [1]'
    terminal("ask", "quokka")
    printed = terminal("open", "1", "--print", EDITOR="vim").stdout
    assert printed.startswith("file://")
    assert "%1B" in printed


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("open", "7"), {}, "The last answer has no source 7; it has 1, 2."),
        (("open", "1"), {"EDITOR": "no-such-program"}, "no-such-program cannot be run"),
        (("open", "1"), {"EDITOR": "false"}, "false ended with code 1."),
        (("open", "1"), {"EDITOR": "vim 'x"}, "VISUAL or EDITOR is not a command"),
        (("--set", "open.editor=vim {lines}", "open", "1"), {}, "open.editor is 'vim {lines}'"),
        (("--set", "open.pdf=x 'y", "open", "1"), {}, "open.pdf is "),
        (("--set", "open.links=often", "open", "1"), {}, "it must be one of: auto, always, never"),
        (("--index", "other", "open", "1"), {}, "No answer with sources is remembered"),
    ],
)
def test_what_cannot_be_opened_is_said(
    settled: Terminal, words: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = settled(*words, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_gone_is_said_in_chinese(asked: Terminal) -> None:
    Path(sources(asked)[0]).unlink()
    done = asked("open", "1", EDITOR="true", RAGKIT_LANG="zh")
    assert done.returncode == 2
    assert "已不存在" in done.stderr


def test_the_passages_of_a_refusal_can_be_opened(asked: Terminal, server: ScriptedOllama) -> None:
    server.answer = "The documents do not say."
    assert asked("ask", "annual leave").returncode == 5
    assert shlex.split(asked("open", "1", "--print", EDITOR="vim").stdout)[-1] in sources(asked)


def test_a_chat_opens_its_own_sources(asked: Terminal, tmp_path: Path, server: ScriptedOllama) -> None:
    server.answer = '"15 days of annual leave" [1]'
    editor = shlex.join(program(tmp_path))
    done = asked("chat", stdin="/open 1\nannual leave\n/open\n/open 1\n", EDITOR=editor)
    assert "No answer with sources" in done.stderr
    assert "/open takes the number" in done.stderr
    assert given(tmp_path) == [sources(asked)[0]]


def test_what_is_remembered_holds_no_text_and_is_forgotten(asked: Terminal) -> None:
    remembered = asked.folder / "index" / "last-answer.json"
    assert "15 days" not in remembered.read_text("utf-8")
    assert asked("forget", "leave.md").returncode == 0
    assert not remembered.exists()


def test_two_processes_at_once_leave_one_whole_answer(tmp_path: Path) -> None:
    def citations(count: int) -> list[Citation]:
        return [Citation(n, "/a/" + "b" * 200, Place(None, n), 0, 9, "", True, 1.0) for n in range(1, count + 1)]

    def write(count: int) -> None:
        for _ in range(200):
            last_answer.save(tmp_path, citations(count))

    writer = f"from tests.frontends.cli.test_open import *; d = Path({str(tmp_path)!r})\n"
    writer += (
        "for n in range(200): last_answer.save(d, [Citation(1, 'x' * n * 50, Place(None, 1), 0, 9, '', True, 1.0)])"
    )
    last_answer.save(tmp_path, citations(3))
    command = [sys.executable, "-c", writer]
    with subprocess.Popen(command, cwd=CHECKOUT) as other, ThreadPoolExecutor(1) as pool:
        done = pool.submit(write, 40)
        while not done.done() or other.poll() is None:
            assert last_answer.load(tmp_path)
    assert other.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["last-answer.json"]


@pytest.mark.parametrize("content", ["", "[1]", '[{"marker": 1}]', "{}", '[{"marker":"x"}]', "[[]]"])
def test_a_broken_memory_is_no_memory(asked: Terminal, content: str) -> None:
    (asked.folder / "index" / "last-answer.json").write_text(content, "utf-8")
    done = asked("open", "1")
    assert (done.returncode, "No answer with sources" in done.stderr) == (2, True)


# -- links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "known"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7006"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "4205"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "new"}, False),
        ({"TERM": "dumb", "VTE_VERSION": "7006"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7006", "NO_COLOR": "1"}, False),
        ({"TERM": "tmux-256color", "VTE_VERSION": "7006"}, False),
        ({"TERM": "tmux-256color", "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"WT_SESSION": "1"}, True),
    ],
)
def test_which_terminals_know_links(environment: dict[str, str], known: bool) -> None:
    assert known_to(environment) is known


def test_links_on_a_terminal_that_knows_them(asked: Terminal) -> None:
    pytest.importorskip("pty")
    from tests.helpers.screens import Screen

    address = Path(sources(asked)[0]).as_uri()
    screen = Screen(asked, *ASK, VTE_VERSION="7006", NO_COLOR="")
    screen.wait_for(f"[1] \x1b]8;;{address}\x1b\\docs{os.sep}leave.md, line 3\x1b]8;;\x1b\\")
    assert screen.code() == 0
    for words, environment in (((), {"NO_COLOR": "1"}), (("--set", "open.links=never"), {"NO_COLOR": ""})):
        screen = Screen(asked, *words, *ASK, VTE_VERSION="7006", **environment)
        assert "]8;;" not in screen.wait_for(f"docs{os.sep}假期.md, line 3")
        screen.code()


def test_links_in_a_pipe_only_when_asked_for(asked: Terminal) -> None:
    assert "\x1b" not in asked(*ASK, VTE_VERSION="7006").stdout
    assert "\x1b]8;;file://" in asked("--set", "open.links=always", *ASK).stdout
