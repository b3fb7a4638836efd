from __future__ import annotations

from durable_execution import testing


def test_the_door_lists_what_users_get_in_order() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert all(hasattr(testing, name) for name in testing.__all__)
