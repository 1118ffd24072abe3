"""Where a model server is, and what may be sent there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

DEFAULT_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_ONLY_BOUND = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def base_url(host: str) -> str:
    """The server's address by the rules of `OLLAMA_HOST`: no scheme is http on port 11434, a scheme
    has its own port, an empty host is 127.0.0.1, a bad port is 11434, and the addresses that only a
    server can bind (0.0.0.0, ::) become loopback."""
    text = host.strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest, port = "http", text, DEFAULT_PORT
        if text.partition("/")[0] == "ollama.com":
            scheme, port = "https", 443
    else:
        port = _PORTS.get(scheme, DEFAULT_PORT)
    address, _, path = rest.partition("/")
    name, found_port = _split_port(address)
    if found_port is not None:
        port = found_port
    name = _ONLY_BOUND.get(name, name)
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}:{port}" + (f"/{path.rstrip('/')}" if path.strip("/") else "")


def _split_port(address: str) -> tuple[str, int | None]:
    if address.startswith("["):
        name, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else None
    elif address.count(":") > 1:
        return address, None  # a bare IPv6 address
    else:
        name, separator, after = address.partition(":")
        port = after if separator else None
    if port is None:
        return name, None
    return name, int(port) if port.isdigit() and int(port) <= 65535 else DEFAULT_PORT


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def may_carry_key(url: str) -> bool:
    """Whether a credential may be sent to `url`: encrypted, or not leaving this machine."""
    return url.startswith("https://") or is_loopback(url)
