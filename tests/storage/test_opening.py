from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from durable_execution.errors import InvalidOptionError, StorageError
from durable_execution.storage import InMemoryStorage, SqlStorage, open_storage
from durable_execution.testing.records import RecordBuilder


def test_memory_url_is_the_memory_storage() -> None:
    assert isinstance(open_storage("memory://"), InMemoryStorage)


async def test_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///relative.db", f"sqlite:///{tmp_path}/absolute.db"):
        storage = open_storage(url)
        assert isinstance(storage, SqlStorage)
        await storage.open()
        await storage.close()
    assert {path.name for path in tmp_path.iterdir()} == {"relative.db", "absolute.db"}


def test_construction_does_no_io(tmp_path: Path) -> None:
    open_storage(f"sqlite:///{tmp_path}/missing/folder/tasks.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("tasks.db", "no scheme, expected one of memory://"),
        ("", "no scheme"),
        ("redis://host", "unknown scheme 'redis', expected one of memory://, sqlite:///"),
        ("postgresql+psycopg://host/db", "expected plain 'postgresql'"),
        ("postgresql://host:port/db", "cannot be read"),
        ("postgresql://one:1,two:port/db", "cannot be read"),
        ("postgresql://one,/db", "each of several hosts must be a name, got ['one', None]"),
        ("postgresql://one,two/db?host=/run", "host must be left out beside several hosts, got"),
        ("postgresql://host/db?shema=x", "unknown options shema; known are host, pgbouncer, pool"),
        (
            "postgresql://host/db?schema=a;b",
            "schema must be letters, digits and _, at most 63, got",
        ),
        ("postgresql://host/db?pool_size=0", "pool_size must be 1 to 1000, got '0'"),
        ("postgresql://host/db?pool_size=many", "pool_size must be 1 to 1000, got 'many'"),
        ("postgresql://host/db?pgbouncer=yes", "pgbouncer must be true or false, got 'yes'"),
        ("postgresql://host/db?sslmode=on", "sslmode must be disable, allow, prefer, require,"),
        ("postgresql://host/db?schema=a&schema=b", "schema must be one value"),
        ("sqlite+aiosqlite:///tasks.db", "expected plain 'sqlite'"),
        ("sqlite://tasks.db", "names the host 'tasks.db': a relative file takes three slashes"),
        ("sqlite:///tasks.db?synchronous=OFF", "synchronous must be one of FULL, NORMAL"),
        ("sqlite:///tasks.db?sync=FULL&cache=1", "unknown options cache, sync; known is synch"),
    ],
)
def test_urls_that_name_no_storage(url: str, message: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        open_storage(url)
    assert message in str(raised.value)


async def test_verbs_before_opening_say_so(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/tasks.db")
    with pytest.raises(StorageError, match="not open"):
        await storage.insert([RecordBuilder().root(1)])
    with pytest.raises(StorageError, match="not open"):
        await storage.get(["x"])


def test_storages_in_memory_load_no_sqlalchemy() -> None:
    program = (
        "import sys; from durable_execution.storage import open_storage; open_storage('memory://');"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_door_knows_no_other_name() -> None:
    import durable_execution.storage as door

    assert all(hasattr(door, name) for name in door.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = door.Nothing
