"""A browser without a screen: it keeps cookies, and sends the forms that it was shown."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

from durable_execution.orpc import AsgiSender, Request


class Seen:
    """An answer."""

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode()

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each == name), None)

    @property
    def words(self) -> str:
        """What it says, without its tags."""
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(text).split())

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.text)
        assert found is not None, "there is no form on this page"
        return found[1]


class Visitor:
    """Somebody at `address`, who reaches the application at `origin`."""

    def __init__(
        self, app: Any, *, origin: str = "http://127.0.0.1:3000", address: str = "10.0.0.7"
    ) -> None:
        self._sender = AsgiSender(_at(address, app))
        self._origin = origin
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **headers: str) -> Seen:
        return await self._send("GET", path, headers)

    async def post(self, path: str, fields: list[tuple[str, str]], **headers: str) -> Seen:
        """Send a form as it is."""
        given = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self._send("POST", path, given, urlencode(fields).encode())

    async def fill_in(self, page: str, path: str, *fields: tuple[str, str]) -> Seen:
        """Load a page and send a form of it."""
        token = (await self.get(page)).form_token
        return await self.post(path, [("form_token", token), *fields])

    async def _send(
        self, method: str, path: str, headers: dict[str, str], content: bytes = b""
    ) -> Seen:
        bare, _, query = path.partition("?")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("host", self._origin.partition("://")[2])
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = Request(
            method,
            quote(bare, safe="/%"),
            query,
            tuple(sent.items()),
            body=content,
            origin=self._origin,
        )
        response = await self._sender.send(request, max_response_size=10_000_000)
        for name, value in response.headers:
            if name == "set-cookie":
                cookie, _, rest = value.partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
        body = response.body
        if not isinstance(body, bytes):
            body = b"".join([piece async for piece in body])
        return Seen(response.status, tuple(response.headers), body)


def _at(address: str, app: Any) -> Any:
    async def addressed(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": (address, 50_000)}, receive, send)

    return addressed
