"""The envelope: one value as JSON text with type tags, for the wire and for storage (WIRE.md 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .decoder import built_in_tags, decode, place_files
from .dialect import Dialect, checked_dialect
from .encoded import Encoded
from .encoder import Attachments, Meta, encode
from .errors import EncodeError, RejectedEnvelope
from .json_text import read_json, write_json
from .limits import Limits
from .plain import is_plain
from .rule import Rule
from .undefined import UNDEFINED


class TypedJson:
    """Encodes values to envelopes and back. Immutable, so one can serve any number of threads.

    What goes out comes back: bigint, date, NaN, undefined, URL, RegExp, Set and Map keep their
    types, and a decoded value encodes to the same text. Types that only Python knows become the
    nearest JSON (a dataclass an object, a UUID a string); a `Schema` turns them back.

    Two losses JavaScript has too: -0.0 arrives as 0, and a property that is UNDEFINED is dropped.
    Infinity is refused instead of becoming null.

    Args:
        rules: Custom type tags.
        limits: Bounds, in both directions.
        dialect: What is written. "v2" reads the tags of "v1" besides its own, and rejects unknown
            ones; "v1" ignores every tag it does not know, as WIRE.md 2.3 wants.
    """

    __slots__ = ("_dialect", "_limits", "_rules", "_tags")

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        limits: Limits | None = None,
        *,
        dialect: Dialect = "v1",
    ) -> None:
        self._rules = tuple(rules)
        self._limits = limits or Limits()
        self._dialect = checked_dialect(dialect)
        self._tags = built_in_tags(self._limits, dialect)
        # The first rule of a tag wins, as it does when encoding.
        self._tags.update({rule.tag: rule.decode for rule in reversed(self._rules)})

    @property
    def limits(self) -> Limits:
        """The bounds this codec keeps."""
        return self._limits

    @property
    def dialect(self) -> Dialect:
        """What is written."""
        return self._dialect

    def dumps(self, value: object) -> bytes:
        """Encode a value as compact JSON text; UNDEFINED is `{}`, and empty in version 2.

        Raises:
            EncodeError: some part has no form on the wire, a file for one, or a limit is exceeded.
        """
        plain = self.dumps_plain(value)
        if plain is not None:
            return plain
        json, meta = self._walked(value, None)
        return self._written(json, meta, ())

    def dumps_plain(self, value: object) -> bytes | None:
        """Encode a value that needs no walk, as most do; None for any other.

        Raises:
            EncodeError: a limit is exceeded.
        """
        if type(value) is Encoded:
            return self._bounded(value.payload) if self._dialect == "v1" else None
        if self._rules or not is_plain(value, self._limits.max_depth, [self._limits.max_bytes]):
            return None
        return self._enveloped({"json": value})

    def dumps_with_files(self, value: object) -> tuple[bytes, list[object]]:
        """Encode a value, and give its files in the order of `maps` (WIRE.md 3).

        The files are what the value holds: a `Blob`, or an upload of a web framework. Without
        any, the text is the one of `dumps`.

        Raises:
            EncodeError: some part has no form on the wire, or a limit is exceeded.
        """
        plain = self.dumps_plain(value)
        if plain is not None:
            return plain, []
        attachments = Attachments()
        json, meta = self._walked(value, attachments)
        return self._written(json, meta, attachments.maps), attachments.files

    def _written(self, json: object, meta: Meta, maps: Iterable[object]) -> bytes:
        if json is UNDEFINED and self._dialect == "v2":
            return b""
        envelope: dict[str, object] = {} if json is UNDEFINED else {"json": json}
        if meta:
            envelope["meta"] = meta
        if maps:
            envelope["maps"] = maps
        return self._enveloped(envelope)

    def _enveloped(self, envelope: dict[str, object]) -> bytes:
        try:
            payload = write_json(envelope)
        except RecursionError:
            raise EncodeError((), f"nested deeper than {self._limits.max_depth} levels") from None
        return self._bounded(payload)

    def loads(self, text: bytes | str) -> Any:
        """Decode an envelope. JSON that is no object counts as UNDEFINED, except null (4.4).

        Raises:
            JsonSyntaxError: not JSON, too large or too deep.
            RejectedEnvelope: null, or tags that do not fit.
        """
        envelope = read_json(text, self._limits)
        if type(envelope) is not dict:
            return self._without_envelope(envelope)
        json = envelope.get("json", UNDEFINED)
        meta = envelope.get("meta")
        return json if meta is None else self.deserialize(json, meta)

    def loads_with_files(self, text: bytes | str, files: Mapping[str, object]) -> Any:
        """Decode the `data` part of a form, and put the files of the others in place (WIRE.md 3).

        Args:
            text: An envelope, with `maps` when it has files.
            files: The file parts by name. Those that `maps` does not ask for are left out.

        Raises:
            JsonSyntaxError: not JSON, too large or too deep.
            RejectedEnvelope: null, tags that do not fit, a path that leads nowhere, a file that is
                missing.
        """
        envelope = read_json(text, self._limits)
        if type(envelope) is not dict:
            return self._without_envelope(envelope)
        json = place_files(
            envelope.get("json", UNDEFINED),
            envelope.get("maps"),
            files,
            max_depth=self._limits.max_depth,
        )
        return self.deserialize(json, envelope.get("meta"))

    def _without_envelope(self, json: object) -> object:
        if json is None:
            raise RejectedEnvelope("expected an envelope, got null")
        return UNDEFINED

    def _bounded(self, payload: bytes) -> bytes:
        most = self._limits.max_bytes
        if len(payload) > most:
            raise EncodeError((), f"{len(payload)} bytes encoded; at most {most} are allowed")
        return payload

    def serialize(self, value: object) -> tuple[Any, Meta]:
        """Turn a value into plain JSON values and its meta entries.

        The JSON may hold `msgspec.Raw` parts and may share structure with the value, so do not
        change it. UNDEFINED gives UNDEFINED.

        Raises:
            EncodeError: some part has no form on the wire, or a limit is exceeded.
        """
        if not self._rules and is_plain(value, self._limits.max_depth, [self._limits.max_bytes]):
            return value, []
        return self._walked(value, None)

    def _walked(self, value: object, attachments: Attachments | None) -> tuple[Any, Meta]:
        return encode(
            value, self._rules, self._limits, dialect=self._dialect, attachments=attachments
        )

    def deserialize(self, json: object, meta: object) -> Any:
        """Apply meta entries to plain JSON values, which are changed in place.

        Raises:
            RejectedEnvelope: the entries do not fit the values.
        """
        return decode(json, meta, self._tags, self._limits, dialect=self._dialect)


_DEFAULT: Final = TypedJson()


def dumps(value: object) -> bytes:
    """Encode with the default codec; see `TypedJson.dumps`."""
    return _DEFAULT.dumps(value)


def loads(text: bytes | str) -> Any:
    """Decode with the default codec; see `TypedJson.loads`."""
    return _DEFAULT.loads(text)
