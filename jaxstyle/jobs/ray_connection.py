"""The connection to a Ray cluster, or a line that says why there is none.

Ray itself waits for minutes for an address that does not answer, so an address is tried before.
"""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxstyle.errors import ConfigError, JaxStyleError

_TIMEOUT = 10  # seconds for a connection, and for its first answer
# What gRPC begins with, by RFC 9113, 3.4: the preface of HTTP/2 and an empty frame of settings. A server sends one too.
_GREETING, _SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", 4


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module `ray`, connected to a cluster; one that was started here ends with the block.

    Args:
        address: as in `run_job_on_ray`.

    Raises:
        ConfigError: if the address has no port.
        JaxStyleError: if Ray is not installed or cannot be reached.
    """
    if address not in ("auto", "local") and not re.search("://|:[0-9]{1,5}$", address):
        expected = f"expected HOST:PORT, such as {address or '10.0.0.1'}:6379, or auto or local"
        raise ConfigError(f"the address of Ray is {address!r}; {expected}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    try:
        import ray
    except ImportError:
        raise JaxStyleError('Ray is not installed; run: pip install "jaxstyle[ray]"') from None
    if ray.is_initialized():
        yield ray
        return
    here: dict[str, Any] = {"_node_ip_address": "127.0.0.1", "include_dashboard": False} if address == "local" else {}
    check_address(os.environ.get("RAY_ADDRESS", "") if address == "auto" else address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **here)
    except Exception as error:  # of many types
        raise _unreachable(address, str(error)) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Raise JaxStyleError if nothing answers at `HOST:PORT`, or no Ray; other kinds of addresses are Ray's to check."""
    match = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:([0-9]{1,5})", address)
    if not match:
        return
    try:
        with socket.create_connection((match[1], int(match[2])), timeout=_TIMEOUT) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("0", "false"):
                return  # it answers to those with a certificate
            connection.sendall(_GREETING)
            answer = connection.recv(4)
    except (OSError, OverflowError) as error:
        raise _unreachable(address, getattr(error, "strerror", None) or str(error) or "no answer") from None
    if answer[3:] != bytes([_SETTINGS]):
        reason = "what answers there is not the head of a Ray cluster, whose port is usually 6379"
        raise _unreachable(address, reason)


def _unreachable(address: str, reason: str) -> JaxStyleError:
    reason = " ".join(reason.split())[:200]
    return JaxStyleError(f"Ray at {address!r} cannot be reached ({reason}); check the address by `ray status`")
