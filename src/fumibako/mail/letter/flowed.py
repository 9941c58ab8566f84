"""format=flowed: lines that a sender wrapped, back to paragraphs (RFC 3676)."""


def unwrap(text: str, *, delsp: bool) -> str:
    """Lines that end in a space go on with the next of the same quote depth. The signature's "-- " stays alone (§4.3),
    with `delsp` the space itself is not part of the text (§4.1): so it is with Japanese."""
    lines: list[str] = []
    paragraph: list[str] = []
    depth_before = 0
    for line in text.split("\n"):
        depth, content = _quoted(line)
        if paragraph and (depth != depth_before or content == "-- "):
            lines.append(_quote(depth_before, "".join(paragraph)))
            paragraph = []
        depth_before = depth
        if content.endswith(" ") and content != "-- ":
            paragraph.append(content[:-1] if delsp else content)
            continue
        lines.append(_quote(depth, "".join([*paragraph, content])))
        paragraph = []
    if paragraph:
        lines.append(_quote(depth_before, "".join(paragraph)))
    return "\n".join(lines)


def _quoted(line: str) -> tuple[int, str]:
    content = line.lstrip(">")
    return len(line) - len(content), content.removeprefix(" ")


def _quote(depth: int, content: str) -> str:
    return f"{'>' * depth} {content}" if depth else content
