"""The socket of a server, bound before the application starts: a taken port costs no work."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv6Address, ip_address
from typing import Final


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


_REASONS: Final = {
    errno.EADDRINUSE: "the port is taken by another process; choose another one with --port",
    errno.EACCES: "the port needs privileges; choose one above 1023 with --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another one with --host",
}


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address. It does not listen: callers are refused until then.

    Raises:
        ListenError: The host cannot be resolved, or the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ListenError(
            f"cannot find the host {host!r}; choose another one with --host"
        ) from error
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise ListenError(f"cannot listen on {origin(host, port)}: {reason}") from error
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine can reach a bound socket: asked of its address, not of its name."""
    if bound.family not in (socket.AF_INET, socket.AF_INET6):
        return True  # of the file system
    found = ip_address(bound.getsockname()[0].partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def origin(host: str, port: int) -> str:
    """Return the URL of an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
