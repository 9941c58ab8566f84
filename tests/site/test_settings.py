"""What an operator may set is listed in one place, and read as written."""

import re
from pathlib import Path

import pytest
from django.template import Context, Template

from fumibako.site.settings import database_of

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:FUMIBAKO_[A-Z_]+|DATABASE_URL|SSL_CERT_FILE)\b")


def names_in(*texts: str) -> set[str]:
    return {name for text in texts for name in NAME.findall(text)}


def test_every_environment_variable_is_documented_and_none_else():
    sources = [file.read_text() for file in (ROOT / "src").rglob("*.py")]
    read = {
        name
        for text in sources
        for name in re.findall(r"(?:environ(?:\.get)?[\[(]|envvar=|words\(|switched_on\()\s*\"([A-Z_]+)\"", text)
        if NAME.fullmatch(name)
    }
    documented = names_in(*re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert documented == read | {"SSL_CERT_FILE"}  # which the TLS library reads


@pytest.mark.parametrize(
    ("url", "database"),
    [
        (
            "postgresql://u:p%40ss@db.example.jp:6432/crm?sslmode=require",
            {"HOST": "db.example.jp", "PORT": "6432", "NAME": "crm", "USER": "u", "PASSWORD": "p@ss"},
        ),
        (
            "postgres://postgres@/fumibako?host=/run/pg",
            {"HOST": "/run/pg", "PORT": "", "NAME": "fumibako", "USER": "postgres", "PASSWORD": ""},
        ),
    ],
)
def test_a_database_url_is_read(url, database):
    read = database_of(url)
    options = read.pop("OPTIONS")
    assert read == database
    assert options == ({"sslmode": "require"} if "sslmode" in url else {})


def test_a_static_files_address_changes_with_its_content(settings):
    settings.STORAGES = {"staticfiles": {"BACKEND": "fumibako.site.static.VersionedStaticFiles"}}
    page = Template('{% load static %}{% static "web/fumibako.css" %}').render(Context())
    assert re.fullmatch(r"/static/web/fumibako\.css\?v=[0-9a-f]{8}", page)
