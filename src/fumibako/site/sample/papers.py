"""Files that are attached to business mail: small, valid, made from lines and tables."""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from fumibako.site.sample.compose import File

Rows = Sequence[Sequence[str | int]]
OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
LEFT, TOP, LEADING = 60, 770, 22  # points


def pdf(name: str, title: str, lines: Sequence[str]) -> File:
    """One page of A4. The font is one of those that PDF readers bring for Japanese, so it need not be embedded."""

    def show(text: str, size: int, y: int) -> str:
        return f"BT /F1 {size} Tf {LEFT} {y} Td <{text.encode('utf-16-be').hex()}> Tj ET"

    page = [show(title, 20, TOP)] + [show(line, 11, TOP - 30 - LEADING * n) for n, line in enumerate(lines, 1)]
    stream = zlib.compress("\n".join(page).encode())
    font = "/BaseFont /HeiseiKakuGo-W5"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(stream), stream),
        f"<< /Type /Font /Subtype /Type0 {font} /Encoding /UniJIS-UTF16-H /DescendantFonts [6 0 R] >>".encode(),
        f"<< /Type /Font /Subtype /CIDFontType0 {font} /FontDescriptor 7 0 R"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>".encode(),
        b"<< /Type /FontDescriptor /FontName /HeiseiKakuGo-W5 /Flags 4 /FontBBox [-92 -250 1010 922]"
        b" /ItalicAngle 0 /Ascent 859 /Descent -141 /CapHeight 709 /StemV 114 >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start, size = len(out), len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return File(name, "application/pdf", bytes(out))


def _archive(entries: Mapping[str, bytes], when: datetime) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, when.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def archive(name: str, files: Sequence[File], when: datetime) -> File:
    """A ZIP of other papers."""
    return File(name, "application/zip", _archive({file.name: file.content for file in files}, when))


def _cell(column: int, row: int, value: str | int) -> str:
    place = f"{chr(65 + column)}{row}"
    if isinstance(value, int):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def xlsx(name: str, rows: Rows, when: datetime) -> File:
    """A workbook with one sheet, at most 26 columns wide."""
    cells = [
        f'<row r="{n}">{"".join(_cell(column, n, value) for column, value in enumerate(row))}</row>'
        for n, row in enumerate(rows, 1)
    ]
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{DOCUMENT}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{"".join(cells)}</sheetData></worksheet>',
    }
    return File(name, OFFICE, _archive({part: (XML + text).encode() for part, text in parts.items()}, when))


def table(name: str, rows: Rows) -> File:
    """A CSV in the charset that Japanese spreadsheets open without asking."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerows(rows)
    return File(name, "text/csv", stream.getvalue().encode("cp932"))


def picture(name: str, bars: Sequence[int], colour: tuple[int, int, int], *, cid: str = "") -> File:
    """A PNG with bars (heights 0 to 100) in one colour on white."""
    width, height = 24 * len(bars), 120
    lines = bytearray()
    for y in range(height, 0, -1):
        lines.append(0)
        for bar in bars:
            lines += b"\xff" * 12 + bytes((colour if y <= bar else (0xF2, 0xF4, 0xF7)) * 18) + b"\xff" * 6
    return File(name, "image/png", _png(width, height, bytes(lines)), cid)


def _png(width: int, height: int, lines: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
