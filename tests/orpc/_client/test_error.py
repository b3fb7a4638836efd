from __future__ import annotations

import copy
import pickle

from durable_execution.orpc._client import (
    RPCClientError,
    RPCConnectionError,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._protocol import ORPCError


def test_one_base_catches_what_is_not_an_answer() -> None:
    for error in (RPCConnectionError, RPCTimeoutError, RPCResponseError):
        assert issubclass(error, RPCClientError)
    assert not issubclass(ORPCError, RPCClientError)


def test_python_names_of_the_failures_catch_them_too() -> None:
    assert issubclass(RPCConnectionError, ConnectionError)
    assert issubclass(RPCTimeoutError, TimeoutError)


def test_connection_error_survives_copying_and_pickling() -> None:
    error = RPCConnectionError("gone", was_sent=True)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(twin), twin.was_sent) == ("gone", True)
