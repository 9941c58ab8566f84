import pytest

from fumibako.mail.letter.dates import parse_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 25 Nov 2025 10:00:00 +0900", "2025-11-25T10:00:00+09:00"),
        ("Tue, 25 Nov 2025 10:00:00 +0900 (JST)", "2025-11-25T10:00:00+09:00"),
        ("25 Nov 2025 10:00 +0900", "2025-11-25T10:00:00+09:00"),
        ("Tue, 25 Nov 2025 10:00:00 JST", "2025-11-25T10:00:00+09:00"),
        ("Tue, 25 Nov 2025 10:00:00 GMT+9", "2025-11-25T10:00:00+09:00"),
        ("Tue, 25 Nov 2025 10:00:00 UTC+09:00", "2025-11-25T10:00:00+09:00"),
        ("Tue, 25 Nov 2025 10:00:00 GMT", "2025-11-25T10:00:00+00:00"),
        ("Tue, 25 Nov 2025 10:00:00 -0000", "2025-11-25T10:00:00+00:00"),
        ("Tue, 25 Nov 2025 10:00:00", "2025-11-25T10:00:00+00:00"),
        ("Tue, 25 Nov 25 10:00:00 EST", "2025-11-25T10:00:00-05:00"),
        ("Tue Nov 25 10:00:00 2025", "2025-11-25T10:00:00+00:00"),
        ("Tue, 25 Nov 2025 23:59:60 +0900", "2025-11-25T23:59:59+09:00"),
        ("2025-11-25T10:00:00+09:00", "2025-11-25T10:00:00+09:00"),
        ("2025-11-25 10:00:00 JST", "2025-11-25T10:00:00+09:00"),
        ("2025/11/25 10:00:00 +0900", "2025-11-25T10:00:00+09:00"),
        ("2025年11月25日 10:00", "2025-11-25T10:00:00+00:00"),
        ("Fri, 31 Dec 2096 10:00:00 +0900", "2096-12-31T10:00:00+09:00"),
    ],
)
def test_dates_are_read_in_the_senders_own_zone(text: str, expected: str) -> None:
    date = parse_date(text)
    assert date is not None
    assert date.isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "\x00",
        "yesterday",
        "Tue, 99 Nov 2025 10:00:00 +0900",
        "Tue, 25 Nov 2025 99:00:00 +0900",
        "Fri, 31 Dec 9999 23:59:59 -0900",
        "1 Jan 99999999999999999999 00:00:00 +0000",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_an_impossible_zone_does_not_lose_the_date() -> None:
    date = parse_date("Tue, 25 Nov 2025 10:00:00 +9999")
    assert date is not None
    assert date.isoformat() == "2025-11-25T10:00:00+00:00"
