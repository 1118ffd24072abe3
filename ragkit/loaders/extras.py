"""The extras of ragkit that readers depend on: whether they are installed, and how to get them."""

from __future__ import annotations

from importlib.util import find_spec

from ragkit.types.errors import UnsupportedFormat

_MODULES = {  # extra -> the modules that it installs and readers import
    "docs": ("python_calamine",),
    "ocr": ("rapidocr", "onnxruntime", "PIL"),
}


def is_installed(extra: str) -> bool:
    return all(find_spec(name) is not None for name in _MODULES[extra])


def needs_extra(extra: str, suffix: str) -> UnsupportedFormat:
    """The error to raise where a library of the extra is not installed."""
    return UnsupportedFormat(
        UnsupportedFormat.NEEDS_MORE,
        suffix=suffix,
        command=f'python -m pip install "ragkit-docqa[{extra}]"',
    )
