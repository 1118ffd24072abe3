"""The folders in which tests find the checkout and the files that come with them."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TEST_DATA = CHECKOUT / "tests" / "data"
