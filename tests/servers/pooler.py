"""A stand-in for PgBouncer in transaction mode, as far as a client can notice.

Each client has two servers and is given the other one after every transaction; what it prepared
or set outside of one is not there any more. Startup parameters that a pooler cannot keep apart
are refused.
"""

from __future__ import annotations

import asyncio
import struct

REFUSED = b"plan_cache_mode"


class Pooler:
    """Listens on a free port, in front of the server on another port."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.refusals = 0
        self.switches = 0

    async def start(self) -> int:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        servers = []
        try:
            startup = await _startup(reader, writer)
            if REFUSED in startup:
                self.refusals += 1
                writer.write(_refusal())
                return
            for _ in range(2):
                server = await asyncio.open_connection("127.0.0.1", self._server_port)
                servers.append(server)
                server[1].write(startup)
                greeting = await _until_ready(server[0])
            writer.write(greeting)
            await self._lend(reader, writer, servers)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for _, each in servers:
                each.close()
            writer.close()
            self._clients.discard(client)

    async def _lend(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        servers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> None:
        answering = asyncio.create_task(self._answer(writer, servers))
        try:
            while (message := await _message(reader))[:1] != b"X":
                servers[0][1].write(message)
        finally:
            answering.cancel()
            await asyncio.wait({answering})

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        servers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> None:
        while True:
            message = await _message(servers[0][0])
            if message[:1] == b"Z" and message[-1:] == b"I":  # no transaction is open
                servers.reverse()
                self.switches += 1
            writer.write(message)


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(struct.unpack("!i", length)[0] - 4)
        if struct.unpack("!i", body[:4])[0] != 80877103:  # the question for TLS
            return length + body
        writer.write(b"N")


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


async def _until_ready(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while True:
        message = await _message(reader)
        answer += message
        if message[:1] == b"Z":
            return answer


def _refusal() -> bytes:
    fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: " + REFUSED + b"\0\0"
    return b"E" + struct.pack("!i", len(fields) + 4) + fields
