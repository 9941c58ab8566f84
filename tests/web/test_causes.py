import re

import pytest
from django.test import Client

from fumibako.accounts.models import Person
from fumibako.mail.diagnosis import CAUSES
from fumibako.web.catalogs import LOCALE, read_catalog

CAUSES_PAGE = "/settings/mailboxes/link/errors/"


def test_each_cause_has_its_sentence_its_steps_and_an_anchor(desk: Client) -> None:
    page = desk.get(CAUSES_PAGE).content.decode()
    for code in ("wrong_credentials", "imap_disabled", "cert_untrusted", "server_unreachable", "smtp_auth_disabled"):
        assert f'<details id="{code}"><summary><span>{CAUSES[code].sentence_ja}' in page
        assert all(step in page for step in CAUSES[code].steps_ja)
    assert "recipient_unknown" not in page


def test_the_page_speaks_english_to_who_wants_it(desk: Client, member: Person) -> None:
    member.language = "en"
    member.save()
    page = desk.get(CAUSES_PAGE).content.decode()
    assert "IMAP is switched off for this mailbox at the provider." in page and not re.search(r"[ぁ-ん]", page)


@pytest.mark.parametrize(
    ("language", "pressed"),
    [("ja", r"「([^」]+)」を(?:押す|開く)"), ("en", r"(?:[Pp]ress|[Oo]pen) “([^”]+)”")],
)
def test_a_button_that_a_step_names_is_on_a_page(desk: Client, member: Person, language: str, pressed: str) -> None:
    member.language = language
    member.save()
    labels = set(re.findall(pressed, desk.get(CAUSES_PAGE).content.decode()))
    entries = list(read_catalog(LOCALE / "ja" / "LC_MESSAGES" / "django.po"))
    known = {text for entry in entries for text in (*entry.translations, entry.text)}
    assert len(labels) >= 3 and labels <= known
