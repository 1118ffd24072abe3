"""Nearly true quotes and truly copied ones, by the hundred, through the same check as every answer."""

from __future__ import annotations

import sys

import pytest

from tests.helpers.paths import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "bench"))

from quotes import copied, mutated, verified


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_mutated_quote_is_verified(language: str) -> None:
    believed = [(kind, quote) for kind, quote, text in mutated(language, None, 500, 7) if verified(quote, text)]
    assert believed == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_true_quote_is_verified_however_it_was_copied(language: str) -> None:
    doubted = [(kind, quote) for kind, quote, text in copied(language, None, 500, 7) if not verified(quote, text)]
    assert len(doubted) <= 2, doubted
