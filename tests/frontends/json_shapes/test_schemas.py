"""The JSON Schemas in docs/json/: they are made from the types, and the documentation and every verb keep to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click
import pytest

from ragkit.frontends.cli import main
from ragkit.frontends.json_shapes.outputs import OUTPUTS
from tests.helpers.json_outputs import SCHEMAS, assert_fits
from tests.helpers.paths import CHECKOUT
from tools.json_schemas import file_name, schema_files

DOCUMENTATION = (CHECKOUT / "docs" / "json.md").read_text("utf-8")
EXAMPLES = re.findall(r"\n\[Schema\]\(json/(.*?)\.schema\.json\)\n.*?```json\n(.*?)```", DOCUMENTATION, re.DOTALL)


def test_the_schemas_are_those_of_the_types() -> None:
    written = {path.name: path.read_text("utf-8") for path in SCHEMAS.iterdir()}
    assert written == schema_files(), "run `make schemas`"


def test_every_verb_that_prints_json_has_a_schema() -> None:
    assert {verb.partition(" --")[0] for verb in OUTPUTS} == set(_verbs_with_json(main))


def test_every_schema_is_linked_in_the_documentation() -> None:
    links = re.findall(r"\(json/(.*?)\)", DOCUMENTATION)
    assert set(links) == {file_name(verb) for verb in OUTPUTS}
    assert len(EXAMPLES) == DOCUMENTATION.count("```json")


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_every_example_of_the_documentation_fits_its_schema(name: str, example: str) -> None:
    assert_fits(name, json.loads(example))


def test_an_undocumented_key_does_not_fit() -> None:
    with pytest.raises(AssertionError, match="'more' was unexpected"):
        assert_fits("remove", {"removed": [], "more": 1})


def _verbs_with_json(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _verbs_with_json(command, f"{before}{name} ")
        elif any(option.name == "as_json" for option in command.params):
            yield before + name
