"""Following every visible link of the pages, as somebody does who tries everything and submits nothing."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urldefrag, urlsplit

from playwright.sync_api import Page

IDENTIFIER = re.compile(r"\b(mb|ms|pe|og|dr)_\w+|\b\d+\b")
SEEN_OF_A_KIND = 1  # pages that differ only by whose or which mail they are about

LINKS = """() => [...document.querySelectorAll("a[href]")].filter((link) => link.checkVisibility()).map(
    (link) => [link.href, link.hasAttribute("download")])"""


@dataclass
class Crawl:
    """A walk over all pages of one person; `faults` are links that lead nowhere."""

    page: Page
    base_url: str
    faults: list[str] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def walk(self) -> None:
        """Open pages until every kind of page was seen; the links of each must lead somewhere."""
        waiting = [(self.base_url, "the first page")]
        while waiting:
            address, source = waiting.pop(0)
            kind = kind_of(address)
            if self.opened.get(kind, 0) >= SEEN_OF_A_KIND:
                continue
            self.opened[kind] = self.opened.get(kind, 0) + 1
            self.page.goto(address)
            for link, saves in self.page.evaluate(LINKS):
                target, fragment = urldefrag(link)
                if not target.startswith(self.base_url):
                    self.faults.append(f"{link} (on {address}, from {source}) leads to another host")
                elif self._leads_somewhere(target, fragment, address) and not saves:
                    waiting.append((target, address))

    def _leads_somewhere(self, target: str, fragment: str, source: str) -> bool:
        """Ask for a link's target, once; whether it is there, with the part that the link names."""
        same = f"{without_query(target)}#{fragment}"
        if same in self.asked:
            return False
        self.asked.add(same)
        answer = self.page.request.get(target)
        if not answer.ok:
            self.faults.append(f"{answer.status}: {target} (on {source})")
        elif fragment and f'id="{fragment}"' not in answer.text():
            self.faults.append(f"no #{fragment} at {target} (on {source})")
        return answer.ok


def without_query(address: str) -> str:
    """An address as it is asked for once: a mail is the same beside whatever list it stands."""
    return address.partition("?")[0] if IDENTIFIER.search(urlsplit(address).path) else address


def kind_of(address: str) -> str:
    """An address without what tells one mailbox, mail or person from another."""
    parts = urlsplit(address)
    return f"{IDENTIFIER.sub('*', parts.path)}?{'&'.join(sorted(parse_qs(parts.query, keep_blank_values=True)))}"
