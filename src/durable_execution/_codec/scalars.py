"""JavaScript's single values that Python has no type for: bigint, URL, RegExp (WIRE.md 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_SAFE_INTEGER = 2**53 - 1

_FLAGS = "dgimsuvy"
_LINE_BREAKS = {"\n": "\\n", "\r": "\\r", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_PYTHON_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"[/\\]*([^/\\?#]*)(.*)", re.DOTALL)
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]<>^|%@]+)(?::(?P<port>[0-9]*))?")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}


class BigInt(int):
    """A JavaScript bigint. An int in every respect, but it is encoded as a bigint again."""

    __slots__ = ()


class Url(str):
    """A JavaScript URL. A str in every respect, but it is encoded as a URL again."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Url:
        """Read an absolute URL, of any scheme.

        Scheme and host are put in lower case, default ports dropped, an empty path becomes `/`.
        Escapes, dot segments and international host names stay as they were sent.

        Raises:
            ValueError: the text is not an absolute URL.
        """
        text = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(33)))))
        match = _URL.fullmatch(text)
        if match is None:
            raise ValueError("expected an absolute URL")
        scheme, rest = match[1].lower(), match[2]
        if scheme not in _DEFAULT_PORTS:
            return cls(f"{scheme}:{rest}")
        return cls(f"{scheme}://{_authority_and_path(scheme, rest)}")


@dataclass(frozen=True, slots=True)
class RegExp:
    """A JavaScript regular expression, not compiled.

    `source` is kept as JavaScript would report it (slashes and line breaks escaped), `flags` in
    alphabetical order.

    Raises:
        ValueError: unknown or repeated flags, or both `u` and `v`.
    """

    source: str
    flags: str = ""

    def __post_init__(self) -> None:
        flags = "".join(sorted(self.flags))
        if any(flag not in _FLAGS for flag in flags) or len(set(flags)) != len(flags):
            raise ValueError(f"RegExp.flags: expected some of {_FLAGS!r}, got {self.flags!r}")
        if "u" in flags and "v" in flags:
            raise ValueError("RegExp.flags: u and v exclude each other")
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "source", _escape_source(self.source))

    def __str__(self) -> str:
        return f"/{self.source}/{self.flags}"

    @classmethod
    def parse(cls, text: str) -> RegExp:
        """Read `/source/flags`.

        Raises:
            ValueError: another shape, a line break in the source, or bad flags.
        """
        end = text.rfind("/")
        if not text.startswith("/") or end < 1 or any(char in text for char in _LINE_BREAKS):
            raise ValueError('expected a "/source/flags" string')
        return cls(text[1:end], text[end + 1 :])

    @classmethod
    def from_pattern(cls, pattern: re.Pattern[str]) -> RegExp:
        """Take over a Python pattern. Syntax that JavaScript lacks is not translated."""
        flags = "".join(flag for flag, value in _PYTHON_FLAGS.items() if pattern.flags & value)
        return cls(pattern.pattern.replace("(?P<", "(?<"), flags)

    def compile(self) -> re.Pattern[str]:
        """Compile with Python's engine, whose syntax is close to JavaScript's but not the same.

        Dangerous for a pattern from outside: this engine backtracks, and a few characters can
        keep it busy for years.

        Raises:
            ValueError: the `v` flag, or syntax unknown to Python.
        """
        if "v" in self.flags:
            raise ValueError("RegExp: Python has no equivalent of the v flag")
        flags = re.RegexFlag(0)
        for flag in self.flags:
            flags |= _PYTHON_FLAGS.get(flag, 0)
        try:
            return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", self.source), flags)
        except re.error as error:
            raise ValueError(f"RegExp: {error}") from error


def _authority_and_path(scheme: str, rest: str) -> str:
    match = _AUTHORITY.fullmatch(rest)
    authority, path = (match[1], match[2]) if match else ("", "")
    credentials, at, address = authority.rpartition("@")
    host = _HOST_AND_PORT.fullmatch(address)
    if host is None or int(host["port"] or 0) > 65535:
        raise ValueError("expected a URL with a host")
    port = host["port"]
    suffix = f":{int(port)}" if port and port != _DEFAULT_PORTS[scheme] else ""
    if not path.startswith(("/", "\\")):
        path = "/" + path
    return f"{credentials}{at}{host['host'].lower()}{suffix}{path}"


def _escape_source(source: str) -> str:
    if not source:
        return "(?:)"
    written: list[str] = []
    in_class = escaped = False
    for char in source:
        if char in _LINE_BREAKS:
            # A backslash before a raw line break would otherwise escape our own backslash.
            written.append(_LINE_BREAKS[char][1:] if escaped else _LINE_BREAKS[char])
        elif char == "/" and not in_class and not escaped:
            written.append("\\/")
        else:
            written.append(char)
        if not escaped and char in "[]":
            in_class = char == "["
        escaped = char == "\\" and not escaped
    return "".join(written)
