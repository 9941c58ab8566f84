"""Pictures of the pages for docs/screens, in both languages: `make screens`.

A new installation is started over a folder of its own, and somebody walks through its pages, first in Japanese, then
in English. What the sample mailbox holds depends on the day, so pictures differ from run to run.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.installation import Installation, running_installation
from tests.browser.people import PASSWORD, set_password, speak
from tests.browser.wizard import begin_link, sheet
from tests.browser.words import LANGUAGES, Words

SCREENS = Path(__file__).parents[2] / "docs" / "screens"
SIZE = {"width": 1200, "height": 620}
ROOM_FOR_MAIL = {"width": 1200, "height": 860}
FRONT = "mailboxes"
"""The picture that the README shows, in Japanese, under this name alone."""

NEWSLETTER = "製品だより"
"""What the sample mailbox has in HTML."""


@dataclass(frozen=True)
class Texts:
    """What is typed for the pictures, and labels that only pictures look for."""

    company: str
    name: str
    login: str
    colleague: str
    colleague_login: str
    profile: str
    label_name: str
    administration: str
    make_link: str
    wrong_address: str


TEXTS = {
    "ja": Texts(
        company="株式会社サンプル",
        name="佐々木 陽子",
        login="sasaki",
        colleague="小林 直子",
        colleague_login="kobayashi",
        profile="プロフィール",
        label_name="名前",
        administration="管理",
        make_link="リンクだけ作る",
        wrong_address="yoko.sasaki@sample-shoji.example",
    ),
    "en": Texts(
        company="Sample Trading",
        name="Yoko Sasaki",
        login="yoko",
        colleague="Naoko Kobayashi",
        colleague_login="naoko",
        profile="Profile",
        label_name="Name",
        administration="Administration",
        make_link="Make a link",
        wrong_address="yoko.sasaki@sample-shoji.example",
    ),
}


@dataclass
class Walk:
    """One person's walk through all pages, taking pictures on the way."""

    page: Page
    say: Words
    text: Texts
    installation: Installation

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep what is seen now; `whole` takes the page to its end, however long it is."""
        self.page.evaluate("document.activeElement?.blur()")
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=SCREENS / f"{name}-{self.say.language}.png", full_page=whole, animations="disabled")

    def come_in(self) -> None:
        """The login page, then a new organization's admin with a name."""
        path = self.installation.make_organization(self.text.company, self.text.login)
        self.page.goto("/")
        speak(self.page, self.say)
        self.picture("login")
        self.page.goto(path)
        set_password(self.page, self.say, PASSWORD)
        tabs = self.page.get_by_role("navigation", name=self.say.settings)
        tabs.get_by_role("link", name=self.text.profile).click()
        self.page.get_by_label(self.text.label_name, exact=True).fill(self.text.name)
        self.page.get_by_role("button", name=self.say.save).click()
        expect(self.page.get_by_role("status")).to_be_visible()
        tabs.get_by_role("link", name=self.text.profile).click()
        self.picture("profile")

    def link(self) -> None:
        """The wizard, from the empty list to its end."""
        page, say, sample = self.page, self.say, self.installation.sample
        page.get_by_role("link", name=say.settings).click()
        self.picture("empty")
        page.get_by_role("link", name=say.link_mailbox).click()
        self.picture("link")
        page.get_by_role("button", name=say.by_hand).click()
        self.picture("manual")
        page.get_by_role("link", name=say.settings).click()
        begin_link(page, sample.address, sample.password, say)
        expect(page.locator(".stages .done").first).to_be_visible()
        self.picture("stages")
        expect(page.get_by_role("heading", name=say.folders_title)).to_be_visible()
        self.picture("folders")
        page.get_by_role("button", name=say.next).click()
        expect(page.get_by_role("heading", name=say.ready_to_read)).to_be_visible()
        self.picture("done")
        page.get_by_role("link", name=say.finish).click()
        expect(sheet(page, sample.address).get_by_text(say.linked, exact=True)).to_be_visible()
        self.picture("mailboxes")

    def unlink_and_fail(self) -> None:
        """The question before unlinking, and a link that failed."""
        page, say = self.page, self.say
        page.get_by_role("link", name=say.settings).click()
        page.get_by_role("link", name=say.unlink_mailbox).click()
        self.picture("unlink")
        page.get_by_role("link", name=say.settings).click()
        begin_link(page, self.text.wrong_address, "not the password", say)
        expect(page.get_by_role("button", name=say.try_again)).to_be_visible()
        self.picture("failed")

    def read(self) -> None:
        """The mail, and a letter of HTML."""
        page = self.page
        page.set_viewport_size(ROOM_FOR_MAIL)
        page.get_by_role("link", name=self.say.mail, exact=True).click()
        page.locator("#rows").get_by_role("link").nth(3).click()
        expect(page.get_by_role("article").get_by_role("heading")).to_be_visible()
        self.picture("mail", whole=False)
        page.locator("#rows").get_by_role("link").filter(has_text=NEWSLETTER).first.click()
        expect(page.locator("iframe").content_frame.get_by_text(NEWSLETTER).first).to_be_visible()
        self.picture("letter", whole=False)
        page.set_viewport_size(SIZE)

    def invite(self) -> None:
        """The members, one of them invited."""
        page = self.page
        page.get_by_role("link", name=self.text.administration).click()
        page.locator("#add summary").click()
        page.get_by_label(self.text.label_name, exact=True).fill(self.text.colleague)
        page.get_by_label(self.say.login_name).fill(self.text.colleague_login)
        page.get_by_role("button", name=self.text.make_link).click()
        expect(page.get_by_role("status")).to_be_visible()
        page.get_by_role("link", name=self.text.administration).click()
        self.picture("people")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        yield browser
        browser.close()


def main() -> int:
    """Take all pictures anew."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    try:
        with running_installation(folder / "screens") as installation, chromium() as browser:
            for language, say in LANGUAGES.items():
                page = browser.new_page(base_url=installation.url, viewport=SIZE, locale=language)
                walk = Walk(page, say, TEXTS[language], installation)
                for step in (walk.come_in, walk.link, walk.read, walk.unlink_and_fail, walk.invite):
                    step()
                page.context.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copy(SCREENS / f"{FRONT}-ja.png", SCREENS / f"{FRONT}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
