"""Whether anybody listens at an address, found out in a millisecond and without an HTTP client."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from ragkit.models.http.addresses import is_loopback


def refuses(url: str, timeout_s: float) -> bool:
    """Whether this machine refuses connections at `url`. False for other machines: a proxy may lead there."""
    address = urlsplit(url)
    if not is_loopback(url):
        return False
    try:
        socket.create_connection((address.hostname, address.port), timeout_s).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):  # the client knows what to say
        return False
    return False
