"""Values as MySQL and MariaDB read them in the text of a statement.

For sessions in UTF-8 whose `sql_mode` lets a backslash escape, as `connect` makes them. The
driver's own way asks every character of a text whether it is special.
"""

from __future__ import annotations


class Sql(str):
    """A value that is written as it is."""

    __slots__ = ()


def literal(value: object) -> str:
    """Return a value as text. A list is one in parentheses.

    Bytes that are no ASCII become halves of characters, which encoding turns back into them.

    Raises:
        UnicodeEncodeError: A text has halves of characters, which would pass for bytes.
    """
    kind = type(value)
    if kind is int or kind is Sql:
        return str(value)
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
        return f"'{_escaped(value)}'"
    if isinstance(value, bytes):
        return f"_binary'{_escaped(value.decode('ascii', 'surrogateescape'))}'"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, float):
        return repr(value)
    raise TypeError(f"a statement has no value of type {kind.__name__}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
