from __future__ import annotations

import pytest

from durable_execution.storage.sql.mysql_connection import connect
from durable_execution.storage.sql.mysql_literals import Sql, literal
from durable_execution.storage.sql.mysql_url import read_url
from tests.servers.mariadb_fixtures import MariaDb

ODD = "'\\\"`; -- /* # %s %% \0\n\r\t\x1a\x7f 🦉 ï '' \\' \\0 \\\\"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (-(1 << 63), "-9223372036854775808"),
        (True, "1"),
        (False, "0"),
        (None, "NULL"),
        (0.5, "0.5"),
        (1e-05, "1e-05"),
        ("plain", "'plain'"),
        ("it's", "'it\\'s'"),
        (b"plain", "_binary'plain'"),
        (("a", "b'"), "('a', 'b\\'')"),
        ((None,), "(NULL)"),
        (Sql("NOW()"), "NOW()"),
    ],
)
def test_values_as_they_are_written(value: object, expected: str) -> None:
    assert literal(value) == expected


async def test_server_reads_what_was_meant(mariadb: MariaDb) -> None:
    connection = await connect(read_url(mariadb.new_url())[0])
    every_byte = bytes(range(256))
    asked = f"SELECT {literal(ODD)}, HEX({literal(every_byte)}), HEX({literal(ODD.encode())})"
    ((text, binary, odd),) = (await connection.run([asked]))[0].rows
    assert text == ODD
    assert (binary, odd) == (every_byte.hex().upper(), ODD.encode().hex().upper())
    connection.terminate()


def test_half_of_a_character_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        literal("\ud800")


def test_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="no value of type set"):
        literal({1})
