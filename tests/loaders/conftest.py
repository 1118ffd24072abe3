"""Readers that the tests of all formats use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit.config.sections import LoadingConfig
from ragkit.loaders.sandbox.loader import SandboxLoader
from tests.helpers.reading import Reader


@pytest.fixture(scope="module")
def loader() -> Iterator[SandboxLoader]:
    with SandboxLoader(LoadingConfig()) as made:
        yield made


@pytest.fixture
def read(loader: SandboxLoader, tmp_path: Path) -> Reader:
    return Reader(loader, tmp_path)
