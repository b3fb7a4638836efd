"""The books on what clients hold. Nobody who holds nothing stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from durable_execution.access.bounds import MEBIBYTE, Bounds

COUNTED_OF_A_BODY: Final = 8 * MEBIBYTE
"""Bytes; what a request has beyond them is a file, which is not held in memory."""


class ExceededError(Exception):
    """A bound is reached.

    Attributes:
        what: The name of the bound.
        is_of_client: Whether it is the client's own, and not that of all together.
    """

    def __init__(self, what: str, *, is_of_client: bool) -> None:
        super().__init__(what)
        self.what = what
        self.is_of_client = is_of_client


@dataclass(slots=True)
class _Page:
    """What one client holds, or all of them."""

    calls: int = 0
    streams: int = 0
    body_bytes: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.calls or self.streams or self.body_bytes)


class Holdings:
    """What is held of a server. Belongs to one event loop; grows with what is under way only."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._total = _Page()
        self._pages: dict[str, _Page] = {}

    @property
    def clients(self) -> int:
        """How many hold anything."""
        return len(self._pages)

    def begin(self) -> Holding:
        """Begin to hold a call, of somebody who is not known yet.

        Raises:
            ExceededError: All clients together have as many calls under way as there may be.
        """
        if self._total.calls >= self._bounds.total_calls:
            raise ExceededError("total_calls", is_of_client=False)
        self._total.calls += 1
        return Holding(self._bounds, self._total, self._pages)


class Holding:
    """What one exchange holds: a call, that may become a stream, and the bytes of its request."""

    def __init__(self, bounds: Bounds, total: _Page, pages: dict[str, _Page]) -> None:
        self._bounds = bounds
        self._total = total
        self._pages = pages
        self._client = ""
        self._page: _Page | None = None
        self._is_stream = False
        self._body_bytes = 0

    def is_of(self, client: str) -> None:
        """Say whose call it is.

        Raises:
            ExceededError: The client has as many calls under way as it may have.
        """
        page = self._pages.get(client) or _Page()
        if page.calls >= self._bounds.calls:
            raise ExceededError("calls", is_of_client=True)
        page.calls += 1
        self._pages[client] = page
        self._client, self._page = client, page

    def becomes_stream(self) -> None:
        """Hold a stream in the place of the call.

        Raises:
            ExceededError: There are as many as there may be; the call is still held.
        """
        page = self._page
        if self._is_stream or page is None:
            return
        if page.streams >= self._bounds.streams:
            raise ExceededError("streams", is_of_client=True)
        if self._total.streams >= self._bounds.total_streams:
            raise ExceededError("total_streams", is_of_client=False)
        for each in (page, self._total):
            each.calls -= 1
            each.streams += 1
        self._is_stream = True

    def adds_bytes(self, count: int) -> None:
        """Hold a piece of the request's body.

        Raises:
            ExceededError: The client, or all of them, hold as much as they may.
        """
        count = min(count, COUNTED_OF_A_BODY - self._body_bytes)
        page = self._page
        if count <= 0 or page is None:
            return
        if page.body_bytes + count > self._bounds.body_bytes:
            raise ExceededError("body_bytes", is_of_client=True)
        if self._total.body_bytes + count > self._bounds.total_body_bytes:
            raise ExceededError("total_body_bytes", is_of_client=False)
        for each in (page, self._total):
            each.body_bytes += count
        self._body_bytes += count

    def release(self) -> None:
        """Hold nothing any more; once, at the end."""
        pages = [self._total] if self._page is None else [self._total, self._page]
        for each in pages:
            if self._is_stream:
                each.streams -= 1
            else:
                each.calls -= 1
            each.body_bytes -= self._body_bytes
        if self._page is not None and self._page.is_empty:
            del self._pages[self._client]


def client_at(address: Any) -> str:
    """The client at an address, as the `client` of an ASGI scope has it.

    One customer has a network of 2⁶⁴ addresses of IPv6: they are one client. A Unix socket has no
    addresses: who uses it is one client, too.
    """
    host = address[0] if isinstance(address, list | tuple) and address else None
    try:
        found = ip_address(str(host or ""))
    except ValueError:
        return f"at {host or 'this machine'}"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return f"at {found.ipv4_mapped}"
        return f"at {IPv6Network((int(found), 64), strict=False)}"
    return f"at {found}"
