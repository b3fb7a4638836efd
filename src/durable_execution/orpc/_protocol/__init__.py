"""What client and server agree on: paths, messages, bodies and errors. No HTTP library, no I/O."""

from __future__ import annotations

from durable_execution.orpc._protocol.batch import (
    BATCH_FORMS,
    BatchAnswer,
    BatchForm,
    BatchFormError,
    BatchMode,
    BatchRequest,
    LengthDecoder,
    split_array,
    with_length,
)
from durable_execution.orpc._protocol.body import (
    BodyKind,
    body_kind,
    data_parameter,
    is_streamed,
    read_envelope,
)
from durable_execution.orpc._protocol.defined import DefinedError, is_error_class, narrowed
from durable_execution.orpc._protocol.error import (
    ERROR_ID_HEADER,
    KNOWN_CODES,
    MALFORMED_ERROR_RESPONSE,
    KnownCode,
    ORPCError,
    error_for_status,
    is_defined_error,
    new_error_id,
    status_of,
)
from durable_execution.orpc._protocol.event_encoding import (
    NO_COMMENTS,
    EncodedEvents,
    EventStreamOptions,
)
from durable_execution.orpc._protocol.event_schema import EventSchema, ValueSchema, schema_of
from durable_execution.orpc._protocol.event_sources import (
    DecodedEvents,
    EventReader,
    MappedEvents,
    event_source,
)
from durable_execution.orpc._protocol.event_stream import (
    Event,
    EventSource,
    EventStream,
    Failure,
    Return,
)
from durable_execution.orpc._protocol.events import (
    CutOffError,
    FrameDecoder,
    FrameError,
)
from durable_execution.orpc._protocol.file import File, as_file
from durable_execution.orpc._protocol.form import FormReader, read_form, write_form
from durable_execution.orpc._protocol.http import (
    JSON_HEADERS,
    Headers,
    Request,
    Response,
    first_header,
)
from durable_execution.orpc._protocol.multipart import MultipartError
from durable_execution.orpc._protocol.path import (
    check_prefix,
    encode_path,
    match_key,
    normalised_key,
    resolve_dot_segments,
    strip_prefix,
)
from durable_execution.orpc._protocol.raw_body import (
    OctetStream,
    read_raw_file,
    write_octets,
    write_raw_file,
)
from durable_execution.orpc._protocol.spool import FileLimits
from durable_execution.orpc._protocol.stream import (
    Body,
    BodyTooLargeError,
    ByteStream,
    close_body,
    read_body,
)
from durable_execution.orpc._protocol.version import VERSION_1, Version, version_of
from durable_execution.orpc._protocol.version2 import HINT

__all__ = [
    "BATCH_FORMS",
    "ERROR_ID_HEADER",
    "HINT",
    "JSON_HEADERS",
    "KNOWN_CODES",
    "MALFORMED_ERROR_RESPONSE",
    "NO_COMMENTS",
    "VERSION_1",
    "BatchAnswer",
    "BatchForm",
    "BatchFormError",
    "BatchMode",
    "BatchRequest",
    "Body",
    "BodyKind",
    "BodyTooLargeError",
    "ByteStream",
    "CutOffError",
    "DecodedEvents",
    "DefinedError",
    "EncodedEvents",
    "Event",
    "EventReader",
    "EventSchema",
    "EventSource",
    "EventStream",
    "EventStreamOptions",
    "Failure",
    "File",
    "FileLimits",
    "FormReader",
    "FrameDecoder",
    "FrameError",
    "Headers",
    "KnownCode",
    "LengthDecoder",
    "MappedEvents",
    "MultipartError",
    "ORPCError",
    "OctetStream",
    "Request",
    "Response",
    "Return",
    "ValueSchema",
    "Version",
    "as_file",
    "body_kind",
    "check_prefix",
    "close_body",
    "data_parameter",
    "encode_path",
    "error_for_status",
    "event_source",
    "first_header",
    "is_defined_error",
    "is_error_class",
    "is_streamed",
    "match_key",
    "narrowed",
    "new_error_id",
    "normalised_key",
    "read_body",
    "read_envelope",
    "read_form",
    "read_raw_file",
    "resolve_dot_segments",
    "schema_of",
    "split_array",
    "status_of",
    "strip_prefix",
    "version_of",
    "with_length",
    "write_form",
    "write_octets",
    "write_raw_file",
]
