"""Address headers to addresses, as senders write them and not only as RFC 5322 §3.4 allows."""

import re
from collections.abc import Iterator

from fumibako.mail.letter.values import Address
from fumibako.mail.letter.words import decode_words, raw_text, tidy

# The pieces of an address header. An encoded word is one piece: what it holds decoded separates nothing. The bounds
# keep quotes that never close from costing the header's length squared.
_PIECE = re.compile(
    r"""
    (?P<word>=\?[\w.:+*-]{1,80}\?[bBqQ]\?[^?\s]{0,4000}\?=)
  | (?P<quoted>"(?:[^"\\]|\\.){0,400}+")
  | (?P<comment>\((?:[^()\\]|\\.|\((?:[^()\\]|\\.){0,400}+\)){0,400}+\))
  | (?P<angle><[^<>]*>?)
  | (?P<space>\s+)
  | (?P<mark>[,;:])
  | (?P<text>[^\s",;:<(=]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DOT_ATOM = r'[^\s<>,;:"()@]+@[^\s<>,;:"()@]+'
# What nine of ten senders write: `name <address>`, `"name" <address>`, `address`, and the comma behind it.
_SIMPLE = re.compile(
    rf"""\s*(?:(?:"(?P<quoted>[^"\\]*)"|(?P<name>[^"<>,;:()\\@]*))\s*<(?P<angle>{_DOT_ATOM})>|(?P<bare>{_DOT_ATOM}))\s*(?:,|\Z)"""
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_WITH_AT = re.compile(r'(?:"[^"]*"|(?<![^\s<>"])[^\s<>"]+)@[^\s<>,;"]+')
_MAX_PIECES = 200_000


def parse_addresses(line: bytes, hint: str = "") -> tuple[Address, ...]:
    """The mailboxes of an unfolded address header, groups taken apart, a group's name left out.

    Nothing is refused: `a..b.@docomo.ne.jp`, an address without angle brackets behind its name, brackets that never
    close. What has no address at all becomes a name with the address "", unless it is the first half of a name with a
    comma that somebody forgot to quote.
    """
    text = raw_text(line, hint)
    simple = _simple(text)
    return _any(text) if simple is None else simple


def _simple(text: str) -> tuple[Address, ...] | None:
    addresses = []
    position, end = 0, len(text)
    while position < end:
        match = _SIMPLE.match(text, position)
        if match is None:
            return None
        name = match["quoted"] or match["name"] or ""
        addresses.append(Address(tidy(decode_words(name)).strip(" \u3000"), match["angle"] or match["bare"]))
        position = match.end()
    return tuple(addresses)


def _any(text: str) -> tuple[Address, ...]:
    addresses: list[Address] = []
    rest_of_name = ""
    for pieces, ended_by in _elements(text):
        address = _address(pieces)
        if address is None:
            continue
        if rest_of_name:
            address = Address(f"{rest_of_name}, {address.name}" if address.name else rest_of_name, address.address)
            rest_of_name = ""
        if not address.address and ended_by == ",":
            rest_of_name = address.name
        else:
            addresses.append(address)
    if rest_of_name:
        addresses.append(Address(rest_of_name, ""))
    return tuple(addresses)


_Piece = tuple[str, str]  # kind and text


def _elements(text: str) -> Iterator[tuple[list[_Piece], str]]:
    """What stands between commas and semicolons, with the mark that ended it; a group's name is dropped."""
    pieces: list[_Piece] = []
    has_address = False
    for number, match in enumerate(_PIECE.finditer(text)):
        if number >= _MAX_PIECES:
            break
        kind, piece = match.lastgroup or "text", match[0]
        if kind != "mark":
            pieces.append((kind, piece))
            has_address = has_address or "@" in piece
        elif piece == ":" and has_address:
            pieces.append(("text", piece))
        elif piece == ":":
            pieces = []
        else:
            yield pieces, piece
            pieces, has_address = [], False
    yield pieces, ""


def _address(pieces: list[_Piece]) -> Address | None:
    angles = [number for number, (kind, piece) in enumerate(pieces) if kind == "angle" and piece.strip("<> \t")]
    if angles:
        # Of several brackets the last with an @ is the address: "Taro <Sales> <taro@example.jp>".
        at = next((number for number in reversed(angles) if "@" in pieces[number][1]), angles[-1])
        name = _name(pieces[:at]) or _name(pieces[at + 1 :])
        return Address(name or _comments(pieces), _bare(pieces[at][1]))
    plain = "".join(piece for kind, piece in pieces if kind != "comment").strip()
    if "@" not in plain:
        name = _name([piece for piece in pieces if piece[0] != "angle"]) or _comments(pieces)
        return _inside_a_word(name) if name else None
    match = _WITH_AT.search(plain)
    if match is None or match[0] == plain:
        return Address(_comments(pieces), _bare(plain))
    name = tidy(decode_words(plain[: match.start()] + plain[match.end() :])).strip("\"' \u3000")
    return Address(name or _comments(pieces), _bare(match[0]))


def _bare(address: str) -> str:
    """Without brackets, spaces and the source route of RFC 5322 §4.4 (`@a,@b:taro@example.jp`)."""
    address = decode_words(address.strip("<> \t"))
    if address.startswith("@") and ":" in address:
        address = address.partition(":")[2]
    if address.lower().startswith("mailto:"):
        address = address[7:]
    return tidy(address if address.startswith('"') else "".join(address.split()))


def _name(pieces: list[_Piece]) -> str:
    text = "".join(_unquoted(kind, piece) for kind, piece in pieces if kind != "comment")
    return tidy(decode_words(text)).strip(" \u3000")


def _comments(pieces: list[_Piece]) -> str:
    return tidy(
        decode_words(" ".join(_QUOTED_PAIR.sub(r"\1", piece[1:-1]) for kind, piece in pieces if kind == "comment"))
    )


def _unquoted(kind: str, piece: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", piece[1:-1]) if kind == "quoted" else piece


def _inside_a_word(name: str) -> Address:
    """Some senders encode the whole of `名前 <taro@example.jp>` as one word."""
    match = re.fullmatch(r"(.*?)\s*<([^<>\s]+@[^<>\s]+)>", name) or re.fullmatch(r"()([^<>\s@]+@[^<>\s@]+)", name)
    return Address(match[1].strip('" \u3000'), match[2]) if match else Address(name, "")
