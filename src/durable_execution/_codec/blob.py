"""What a codec knows of a file: that its bytes travel beside the JSON text (WIRE.md 3)."""

from __future__ import annotations

from typing import Any


class Opaque:
    """Base of what only the transport can make: to a hint it is an instance or it is not."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # Called by pydantic alone, so it is there.
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)


class Blob(Opaque):
    """Base of values that leave a placeholder in the JSON; the transport carries their bytes."""

    __slots__ = ()


def is_upload(value: object) -> bool:
    """Whether this is a file as web frameworks give it to their handlers, Starlette's for one."""
    return all(hasattr(value, name) for name in ("filename", "content_type", "file"))
