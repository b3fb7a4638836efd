"""What client and server agree on: paths, messages, bodies and errors. No HTTP library, no I/O."""

from __future__ import annotations

from durable_execution.orpc._protocol.body import (
    WITHOUT_ENVELOPE,
    BodyKind,
    body_kind,
    data_parameter,
    is_streamed,
    read_envelope,
)
from durable_execution.orpc._protocol.defined import DefinedError, narrowed
from durable_execution.orpc._protocol.error import (
    KNOWN_CODES,
    MALFORMED_ERROR_RESPONSE,
    KnownCode,
    ORPCError,
    error_for_status,
    is_defined_error,
    status_of,
)
from durable_execution.orpc._protocol.http import Headers, Request, Response, first_header
from durable_execution.orpc._protocol.path import (
    check_prefix,
    encode_path,
    match_key,
    resolve_dot_segments,
    strip_prefix,
)
from durable_execution.orpc._protocol.stream import (
    Body,
    BodyTooLargeError,
    ByteStream,
    close_body,
    read_body,
)

__all__ = [
    "KNOWN_CODES",
    "MALFORMED_ERROR_RESPONSE",
    "WITHOUT_ENVELOPE",
    "Body",
    "BodyKind",
    "BodyTooLargeError",
    "ByteStream",
    "DefinedError",
    "Headers",
    "KnownCode",
    "ORPCError",
    "Request",
    "Response",
    "body_kind",
    "check_prefix",
    "close_body",
    "data_parameter",
    "encode_path",
    "error_for_status",
    "first_header",
    "is_defined_error",
    "is_streamed",
    "match_key",
    "narrowed",
    "read_body",
    "read_envelope",
    "resolve_dot_segments",
    "status_of",
    "strip_prefix",
]
