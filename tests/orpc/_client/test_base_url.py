from __future__ import annotations

import pytest

from durable_execution.orpc._client.base_url import BaseUrl, base_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", BaseUrl("http://h", "", "")),
        ("HTTPS://h:8443/rpc/", BaseUrl("https://h:8443", "/rpc", "")),
        ("http://h/a/../rpc?tenant=a%20b", BaseUrl("http://h", "/rpc", "tenant=a%20b")),
        ("http://[::1]:80/x%2Fy", BaseUrl("http://[::1]:80", "/x%2Fy", "")),
    ],
)
def test_parts_of_a_base_url(url: str, expected: BaseUrl) -> None:
    assert base_url(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("/rpc", "absolute URL"),
        ("ftp://h/rpc", "absolute URL"),
        ("http:///rpc", "absolute URL"),
        ("http://h:99999/", "absolute URL"),
        ("http://[::1/", "absolute URL"),
        ("", "ASCII"),
        ("http://h/a b", "ASCII"),
        ("http://h/\r\nx: y", "ASCII"),
        ("http://h/é", "percent-encode"),
        ("http://user:pw@h/", "send them in headers"),
        ("http://h/#top", "fragment"),
    ],
)
def test_unusable_base_url_says_why(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        base_url(url)


def test_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="url:") as caught:
        base_url("http://user:hunter2@h/")
    assert "hunter2" not in str(caught.value)


def test_url_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"url: expected an absolute URL .*, got bytes"):
        base_url(b"http://h/")  # type: ignore[arg-type]  # the point of the test
