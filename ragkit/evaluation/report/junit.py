"""Writing verdicts as JUnit XML, which every CI shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from ragkit.evaluation.checking import Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(name: str, verdicts: Sequence[Verdict]) -> bytes:
    """Returns one test case a question, in English because programs read it; a failure has the step as its type."""
    failures = sum(verdict.loss is not None for verdict in verdicts)
    suite = ElementTree.Element("testsuite", name=_clean(name), tests=str(len(verdicts)), failures=str(failures))
    suite.set("errors", "0")
    suite.set("time", f"{sum(verdict.seconds for verdict in verdicts):.3f}")
    for verdict in verdicts:
        title = f"{verdict.question.id}: {verdict.question.text}"
        case = ElementTree.SubElement(suite, "testcase", classname=_clean(name), name=_clean(title))
        case.set("time", f"{verdict.seconds:.3f}")
        if verdict.loss is not None:
            text = _clean(f"expected {verdict.expected}; found {verdict.loss.found}; lost in: {verdict.loss.step}")
            ElementTree.SubElement(case, "failure", type=verdict.loss.step, message=text).text = text
    report: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return report


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
