"""What ragkit's readers make of a folder of files, by format, beside MarkItDown's extraction of the same files.

    python bench/formats.py FOLDER [--peer PYTHON] [--ocr off] [--out FILE] [--files]

Each file is read as `ragkit index` reads it, in the child process with its limits. `--peer` is a Python with
`markitdown[all]`; words are compared as sets of folded words, Chinese by character, so that order and markup
do not count. `--files` names every file that is not read, every file with fewer than 80 % of the peer's words, and
every file with less than 60 % of the characters that FOLDER/MANIFEST.tsv says another program found
(`poppler_text_chars`). What the readers do with the network is told by the system, not by them: run this under
`strace -f -e trace=connect`, or under `unshare -rn`, where there is none.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from ragkit.config.sections import LoadingConfig
from ragkit.loaders.sandbox.loader import SandboxLoader
from ragkit.text import terms

_WORD = re.compile(rf"[{terms.CJK}]|[^\W_{terms.CJK}]+")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<[^>]+>|https?://\S+|data:image\S+")
_MIN_SHARE = 0.8
_MIN_OF_REFERENCE = 0.6
_ENDS = (  # what reasons and notes begin with, and how the table says it
    ("Reading it took longer than", "took longer than a file may"),
    ("OCR took longer than", "were read without their slow OCR"),
    ("The reader crashed on this file", "crashed the reader"),
)

PEER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from markitdown import MarkItDown
reader = MarkItDown(enable_plugins=False)
for line in sys.stdin:
    try:
        text, why = reader.convert(json.loads(line)).text_content, ""
    except BaseException as exc:
        text, why = "", type(exc).__name__
    print(json.dumps({"text": text, "why": why}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Read:
    """One file, read by ragkit and by the peer."""

    path: Path
    state: str  # "ready", "partly" (with notes), "unreadable", "unsupported"
    reason: str
    notes: str
    characters: int  # characters that are no white space
    words: frozenset[str]
    peer_words: frozenset[str]
    seconds: float

    def share(self) -> float:
        """The share of the peer's words that ragkit has too; 1.0 where the peer has none."""
        return len(self.words & self.peer_words) / len(self.peer_words) if self.peer_words else 1.0

    def peer_share(self) -> float:
        return len(self.words & self.peer_words) / len(self.words) if self.words else 1.0


def words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(terms.fold(_MARKUP.sub(r" \1 ", text))))


def read_all(folder: Path, peer: str, ocr: str) -> list[Read]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
    theirs = peer_texts(paths, peer) if peer else [""] * len(paths)
    found = []
    with SandboxLoader(LoadingConfig(ocr=ocr)) as loader:
        for path, other in zip(paths, theirs, strict=True):
            began = time.perf_counter()
            loaded = loader.load(path, "")
            seconds = time.perf_counter() - began
            text, state, reason, notes = "", "ready", "", ""
            if loaded.document is not None:
                text = loaded.document.text
                notes = " ".join(map(str, loaded.document.notes))
                state = "partly" if notes else "ready"
            elif loaded.failure is not None:
                state, reason = loaded.failure.state, str(loaded.failure.reason)
            size = sum(not c.isspace() for c in text)
            found.append(Read(path, state, reason, notes, size, words_of(text), words_of(other), seconds))
    return found


def peer_texts(paths: list[Path], python: str) -> list[str]:
    """Yields the peer's texts, from a process that is started again when a file kills it."""
    texts: list[str] = []
    while len(texts) < len(paths):
        child = subprocess.Popen([python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdin is not None
        assert child.stdout is not None
        for path in paths[len(texts) :]:
            try:
                child.stdin.write(json.dumps(str(path)) + "\n")
                child.stdin.flush()
                line = child.stdout.readline()
            except OSError:
                line = ""
            texts.append(json.loads(line)["text"] if line else "")
            if not line:
                break
        child.kill()
        child.wait()
    return texts


def table(found: list[Read], *, with_peer: bool) -> list[str]:
    by_format: dict[str, list[Read]] = defaultdict(list)
    for one in found:
        by_format[one.path.suffix.lower().lstrip(".") or "none"].append(one)
    head = "| format | files | ready | with notes | unreadable | unsupported | slowest s |"
    rule = "|---|---:|---:|---:|---:|---:|---:|"
    if with_peer:
        head += " words | peer's words | of the peer's, ours too | of ours, the peer's too |"
        rule += "---:|---:|---:|---:|"
    lines = [head, rule]
    for name, group in [*sorted(by_format.items()), ("**all**", found)]:
        states = Counter(one.state for one in group)
        counts = " | ".join(str(states[state]) for state in ("ready", "partly", "unreadable", "unsupported"))
        line = f"| {name} | {len(group)} | {counts} | {max(one.seconds for one in group):.2f} |"
        if with_peer:
            ours, theirs = sum(len(one.words) for one in group), sum(len(one.peer_words) for one in group)
            both = sum(len(one.words & one.peer_words) for one in group)
            line += f" {ours:,} | {theirs:,} | {both / max(theirs, 1):.1%} | {both / max(ours, 1):.1%} |"
        lines.append(line)
    ends = [f"{sum(start in one.reason + one.notes for one in found)} {name}" for start, name in _ENDS]
    lines += ["", f"Of {len(found)} files: {', '.join(ends)}."]
    reasons = Counter((one.path.suffix.lower(), one.state, re.sub(r"\d+", "N", one.reason)) for one in found)
    lines += ["", "Not read:", ""]
    lines += [
        f"- {suffix}, {state}, {count} x: {reason}"
        for (suffix, state, reason), count in sorted(reasons.items())
        if reason
    ]
    return lines


def outliers(found: list[Read]) -> list[str]:
    lines = ["", "Not read, by name:", ""]
    lines += [f"- {one.path.name} ({one.seconds:.1f} s): {one.reason}" for one in found if one.reason]
    lines += ["", f"Fewer than {_MIN_SHARE:.0%} of the peer's words:", ""]
    for one in sorted(found, key=Read.share):
        if one.share() < _MIN_SHARE:
            missing = " ".join(sorted(one.peer_words - one.words)[:12])
            lines.append(f"- {one.path.name} {one.share():.0%} ({one.state} {one.reason}): {missing}")
    return lines


def beside_reference(found: list[Read], folder: Path) -> list[str]:
    """Returns the files that another program found far more text in, or any where ragkit found none."""
    manifest = folder / "MANIFEST.tsv"
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as rows:
        counts = {row["path"]: row.get("poppler_text_chars") or "" for row in csv.DictReader(rows, delimiter="\t")}
    lines = ["", f"Less than {_MIN_OF_REFERENCE:.0%} of the characters of the reference:", ""]
    for one in found:
        said = counts.get(one.path.relative_to(folder).as_posix(), "")
        if said.isdecimal() and one.characters < _MIN_OF_REFERENCE * int(said):
            lines.append(f"- {one.path.name}: {one.characters} of {said} ({one.state} {one.reason})")
    return lines if len(lines) > 3 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", default="", metavar="PYTHON")
    parser.add_argument("--ocr", default="auto", choices=("auto", "off"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--files", action="store_true")
    options = parser.parse_args()
    found = read_all(options.folder, options.peer, options.ocr)
    lines = table(found, with_peer=bool(options.peer))
    if options.files:
        lines += outliers(found) + beside_reference(found, options.folder)
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", "utf-8")
    sys.exit(0)


if __name__ == "__main__":
    main()
