"""The one error of the wire: `ORPCError`, its table of codes, its JSON form (WIRE.md 6.2, 6.3)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeGuard

from durable_execution._codec import UNDEFINED

MALFORMED_ERROR_RESPONSE: Final = "MALFORMED_ORPC_ERROR_RESPONSE"

ERROR_ID_HEADER: Final = "x-error-id"


class KnownCode(NamedTuple):
    """What the table says of a code: its HTTP status and its message when none is given."""

    status: int
    message: str


KNOWN_CODES: Final[Mapping[str, KnownCode]] = {
    "BAD_REQUEST": KnownCode(400, "Bad Request"),
    "UNAUTHORIZED": KnownCode(401, "Unauthorized"),
    "FORBIDDEN": KnownCode(403, "Forbidden"),
    "NOT_FOUND": KnownCode(404, "Not Found"),
    "METHOD_NOT_SUPPORTED": KnownCode(405, "Method Not Supported"),
    "NOT_ACCEPTABLE": KnownCode(406, "Not Acceptable"),
    "TIMEOUT": KnownCode(408, "Request Timeout"),
    "CONFLICT": KnownCode(409, "Conflict"),
    "PRECONDITION_FAILED": KnownCode(412, "Precondition Failed"),
    "PAYLOAD_TOO_LARGE": KnownCode(413, "Payload Too Large"),
    "UNSUPPORTED_MEDIA_TYPE": KnownCode(415, "Unsupported Media Type"),
    "UNPROCESSABLE_CONTENT": KnownCode(422, "Unprocessable Content"),
    "TOO_MANY_REQUESTS": KnownCode(429, "Too Many Requests"),
    "CLIENT_CLOSED_REQUEST": KnownCode(499, "Client Closed Request"),
    "INTERNAL_SERVER_ERROR": KnownCode(500, "Internal Server Error"),
    "NOT_IMPLEMENTED": KnownCode(501, "Not Implemented"),
    "BAD_GATEWAY": KnownCode(502, "Bad Gateway"),
    "SERVICE_UNAVAILABLE": KnownCode(503, "Service Unavailable"),
    "GATEWAY_TIMEOUT": KnownCode(504, "Gateway Timeout"),
}

_REQUIRED_KEYS: Final = frozenset({"defined", "code", "status", "message"})
_ALLOWED_KEYS: Final = _REQUIRED_KEYS | {"data"}


class ORPCError(Exception):
    """An error both sides of a call understand: `raise ORPCError("NOT_FOUND", "No such planet")`.

    Attributes:
        code: Any non-empty text; those of the table bring a status and a message with them.
        status: HTTP status, outside 200..399. From the table unless given; 500 for other codes.
        message: For people. An empty one becomes the default of the code.
        data: Anything the codec can encode, or `UNDEFINED`.
        defined: True when the procedure declares this error. The server sets it by checking every
            error that leaves a procedure, so there is no need to pass it when raising.
        error_id: What the log of the server calls this failure, when it tells callers no more
            than that; it travels as the header `x-error-id`, not in the error object.

    Raises:
        TypeError: code, status or message is of the wrong type.
        ValueError: The code is empty, or the status means success.
    """

    code: str
    status: int
    message: str
    data: Any  # a decoded value: only the procedure's declaration knows its type
    defined: bool
    error_id: str | None

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        data: object = UNDEFINED,
        defined: bool = False,
        error_id: str | None = None,
    ) -> None:
        _check_code(code)
        if not isinstance(message, str | None):
            raise TypeError(f"message: expected str or None, got {type(message).__name__}")
        super().__init__(code, message)
        self.code = code
        self.status = status_of(code, status)
        self.message = message or (KNOWN_CODES[code].message if code in KNOWN_CODES else code)
        self.data = data
        self.defined = defined
        self.error_id = error_id

    def __str__(self) -> str:
        return self.code if self.message == self.code else f"{self.code}: {self.message}"

    def __repr__(self) -> str:
        facts = f"{self.code!r}, {self.message!r}, status={self.status}, defined={self.defined}"
        return f"ORPCError({facts})" if self.data is UNDEFINED else f"ORPCError({facts}, data=…)"

    def to_json(self) -> dict[str, object]:
        """The error object of WIRE.md 6.2, to be put into an envelope; no `data` when undefined."""
        error: dict[str, object] = {
            "defined": self.defined,
            "code": self.code,
            "status": self.status,
            "message": self.message,
        }
        if self.data is not UNDEFINED:
            error["data"] = self.data
        return error

    @classmethod
    def from_json(cls, value: object) -> ORPCError | None:
        """Read a decoded error object by the strict rules of WIRE.md 6.3.

        Returns None when the value is not an error object: one key too many or too few or of the
        wrong type, or a status that means success. Then `error_for_status` is the answer.
        """
        if not isinstance(value, Mapping) or not _REQUIRED_KEYS <= value.keys() <= _ALLOWED_KEYS:
            return None
        defined, code, message = value["defined"], value["code"], value["message"]
        status = _wire_status(value["status"])
        if not (isinstance(defined, bool) and isinstance(message, str) and status is not None):
            return None
        if not isinstance(code, str) or not code:
            return None
        data = value.get("data", UNDEFINED)
        return cls(code, message, status=status, data=data, defined=defined)


def new_error_id() -> str:
    """Make the id that joins what a caller is told of a failure to what the log says of it."""
    return secrets.token_hex(8)


def status_of(code: str, explicit: int | None = None) -> int:
    """The HTTP status of a code: the explicit one, else the table's, else 500.

    Raises:
        TypeError: The explicit status is not an int.
        ValueError: It lies in 200..399, where it would mean success.
    """
    if explicit is None:
        return KNOWN_CODES[code].status if code in KNOWN_CODES else 500
    status = _plain_int(explicit)
    if 200 <= status <= 399:
        raise ValueError(f"status: {status} means success; an error needs 400 or above")
    return status


def is_defined_error(error: object) -> TypeGuard[ORPCError]:
    """Whether this is an oRPC error its procedure declares, so that its `data` can be trusted."""
    return isinstance(error, ORPCError) and error.defined


def error_for_status(status: int, *, headers: Mapping[str, str], body: object) -> ORPCError:
    """The error for an error response whose body is no error object (WIRE.md 6.3).

    The code is the first of the table with this status. `data` holds status, headers and the
    decoded body, so that nothing is hidden from whoever looks into the failure.
    """
    code = next(
        (name for name, known in KNOWN_CODES.items() if known.status == status),
        MALFORMED_ERROR_RESPONSE,
    )
    data = {"status": status, "headers": dict(headers), "body": body}
    return ORPCError(code, status=status, data=data)


def _check_code(code: str) -> None:
    if not isinstance(code, str):
        raise TypeError(f"code: expected str, got {type(code).__name__}")
    if not code:
        raise ValueError("code: expected a non-empty text such as 'NOT_FOUND'")


def _plain_int(status: object) -> int:
    """An `http.HTTPStatus` becomes the number it stands for."""
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status: expected int, got {type(status).__name__}")
    return int(status)


def _wire_status(value: object) -> int | None:
    """A JSON number outside 200..399; bigints, booleans and fractions are none."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or 200 <= value <= 399:
        return None
    return value
