"""Forms: what a browser sends to have something changed, and the proof that it was meant to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from durable_execution.dashboard.sessions import Seal
from durable_execution.dashboard.visits import Visit, comes_from_elsewhere

if TYPE_CHECKING:
    from starlette.requests import Request

PROOF: Final = "form_token"
MAX_FORM_SIZE: Final = 2_200_000
"""Bytes: a wake-up may bring the largest output there may be, with every letter escaped once."""
MAX_FIELDS: Final = 1_200
_KIND: Final = "application/x-www-form-urlencoded"


class FormRefusedError(Exception):
    """A form that nobody who sees our pages has sent, or that is none.

    Attributes:
        status: Of the answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Form:
    """The fields of a form, none of them checked."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str) -> str:
        """Return the first field of a name; nothing if there is none."""
        return next((value for each, value in self._pairs if each == name), "")

    def all(self, name: str) -> list[str]:
        """Return all fields of a name, each value once."""
        return list(dict.fromkeys(value for each, value in self._pairs if each == name))


async def read_form(request: Request, visit: Visit, seal: Seal) -> Form:
    """Read the form that a request carries.

    Raises:
        FormRefusedError: It is too large or no form, or was not made for this session.
    """
    if comes_from_elsewhere(request.scope):
        raise FormRefusedError("This form was sent by another site", 403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise FormRefusedError("Expected a form", 415)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_SIZE:
            raise FormRefusedError("The form is too large", 413)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError as error:  # which UnicodeDecodeError is, too
        raise FormRefusedError("The form cannot be read") from error
    form = Form(pairs)
    if not seal.is_form_token(visit.session, form.one(PROOF)):
        raise FormRefusedError(
            "This form is out of date: go back, load the page again and repeat", 403
        )
    return form
