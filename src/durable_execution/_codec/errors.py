"""What can go wrong between a value and its text.

ValueError
 ├── EncodeError            the value has no form on the wire
 └── DecodeError            the text is no message
      ├── JsonSyntaxError   not JSON, or larger or deeper than the limits allow
      └── RejectedEnvelope  JSON, but not a valid envelope
"""

from __future__ import annotations

Path = tuple[str | int, ...]


class EncodeError(ValueError):
    """A value cannot be encoded; `path` says which part of it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.problem}"


class DecodeError(ValueError):
    """Text cannot be decoded. The cause of every failure that a sender can provoke."""


class JsonSyntaxError(DecodeError):
    """The text is not JSON, or it exceeds the size or depth limit."""


class RejectedEnvelope(DecodeError):  # noqa: N818 - named after what happened to the message
    """The text is JSON, but its tags do not fit its values (WIRE.md 2.3)."""


def path_text(path: Path, root: str = "$") -> str:
    """Write a path as a reader would: `$.items[3].when`, `$["odd key"]`."""
    parts = [root]
    for segment in path:
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        elif segment.isidentifier():
            parts.append(f".{segment}")
        else:
            parts.append(f'["{segment}"]')
    return "".join(parts)
