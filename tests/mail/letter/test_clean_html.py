import re
import time

import pytest

from fumibako.mail.letter import clean_html


def no_picture(content_id: str) -> str | None:
    return None


def clean(html: str) -> str:
    return clean_html(html, no_picture).html


# Ways to run a script, to load something or to lead the reader astray that mail has been seen to try.
PAYLOADS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '<img src="javascript:alert(1)">',
    "<img src=`x`onerror=alert(1)>",
    '<img """><script>alert(1)</script>">',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:alert(1)"><text y=20>x</text></a></svg>',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    '<math href="javascript:alert(1)">x</math>',
    '<form action="https://evil.example"><input name=p><button formaction="javascript:alert(1)">x</button></form>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<object data="data:text/html,<script>alert(1)</script>"></object>',
    '<embed src="https://evil.example/x.swf">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<base href="https://evil.example/">',
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    "<style>@import url(https://evil.example/x.css);</style>",
    "<style>body{background:url(https://evil.example/x)}</style>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    "<template><script>alert(1)</script></template>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" java\nscript:alert(1)">x</a>',
    '<a href="&#106;&#97;vascript:alert(1)">x</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
    '<a href="vbscript:x">x</a>',
    '<a href="//evil.example">x</a>',
    '<a href="/mail/1/delete">x</a>',
    '<a href="https://example.jp" onclick=alert(1) ping="https://evil.example" target=_top>x</a>',
    '<p style="background:url(https://evil.example/x)">x</p>',
    '<p style="background:u\\72l(https://evil.example/x)">x</p>',
    '<p style="color:red;/**/background-image:url(x)">x</p>',
    '<p style="width:expression(alert(1))">x</p>',
    '<p style="-moz-binding:url(https://evil.example/x.xml#a)">x</p>',
    '<p style="behavior:url(x.htc)">x</p>',
    '<p style="position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999">x</p>',
    "<p style=\"list-style:image-set('https://evil.example/x' 1x)\">x</p>",
    '<p style="color:red}body{background:url(x)}">x</p>',
    '<table background="https://evil.example/x"><tr><td background="javascript:alert(1)">x</td></tr></table>',
    '<img srcset="https://evil.example/x 1x" lowsrc="https://evil.example/x" dynsrc=x>',
    '<video poster="https://evil.example/x"><source src=x onerror=alert(1)></video>',
    '<audio src="https://evil.example/x" autoplay></audio>',
    '<input type=image src="https://evil.example/x">',
    '<body onload=alert(1) background="https://evil.example/x">x</body>',
    '<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>',
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<plaintext><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<div id=location class=admin data-x=1 name=body>x</div>",
    "<frameset onload=alert(1)><frame src=x></frameset>",
    "<isindex type=image src=1 onerror=alert(1)>",
    "<keygen autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<img src=data:image/svg+xml;base64,PHN2Zy8+>",
    "<p title='\"><script>alert(1)</script>'>x</p>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
]

ALLOWED_TAG = re.compile(r"</?[a-z][a-z0-9]*(?: [a-z]+=\"[^\"<>]*\")*>")
ALLOWED_ATTRIBUTE = re.compile(r" ([a-z]+)=\"")
FORBIDDEN = re.compile(
    r"<(?:script|style|svg|math|iframe|object|embed|form|input|button|meta|base|link|video|audio|frame|template|body)\b"
    r"|\bon[a-z]+=|javascript:|vbscript:|data:|url\(|expression|evil\.example"
    r"|\b(?:id|class|name|ping|srcset|background)=|position|z-index",
    re.IGNORECASE,
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_runs_loads_or_covers_comes_through(payload: str) -> None:
    result = clean(payload)
    rest = ALLOWED_TAG.sub("", result)
    assert "<" not in rest, result
    tags = "".join(ALLOWED_TAG.findall(result))
    assert not FORBIDDEN.search(tags), result


@pytest.mark.parametrize("payload", PAYLOADS)
def test_cleaning_what_is_clean_changes_nothing(payload: str) -> None:
    once = clean(payload)
    assert sorted(clean(once)) == sorted(once)  # attributes in any order


def test_links_open_apart_and_only_where_a_person_may_go() -> None:
    expected = '<a href="{}" target="_blank" rel="noopener noreferrer">x</a>'
    for url in ("https://example.jp/a?b=1", "http://example.jp/", "mailto:a@example.jp", "tel:+81312345678"):
        assert clean(f'<a href="{url}" target="_top" rel="opener">x</a>') == expected.format(url)
    assert "href" not in clean('<a href="ftp://example.jp">x</a>')


def test_a_letters_looks_are_kept() -> None:
    html = (
        '<table width="600" cellpadding="0" bgcolor="#ffffff"><tbody><tr>'
        '<td colspan="2" align="center" style="color:#333;padding:8px">'
        '<font color="red" size="2"><b>御見積書</b></font><br></td></tr></tbody></table>'
    )
    assert clean(html).replace("; ", ";").replace(": ", ":") == html


def test_style_keeps_harmless_declarations_beside_dropped_ones() -> None:
    style = "color: rgb(1, 2, 3); background: url(https://x.example/a;b) red; font-family: 'ＭＳ ゴシック'; top: 0"
    result = clean(f'<p style="{style}">x</p>')
    assert "color" in result
    assert "ＭＳ ゴシック" in result
    assert "url" not in result
    assert "top" not in result


def test_remote_pictures_are_left_out_and_counted() -> None:
    html = (
        '<img src="https://x.example/1.png" alt="ロゴ"><img src="//x.example/2.png"><img src="HTTP://x.example/3.gif">'
        '<td background="https://x.example/4.png"><p style="background-image: URL( \'https://x.example/5.png\' )">x</p>'
        '<table background="https://x.example/6.png"></table><img src="data:image/png;base64,AA">'
        '<img src="cid:none"><img src="local.png">'
    )
    cleaned = clean_html(html, no_picture)
    assert cleaned.blocked_pictures == 5
    assert "x.example" not in cleaned.html
    assert "src" not in cleaned.html
    assert 'alt="ロゴ"' in cleaned.html


def test_the_mails_own_pictures_come_from_where_the_caller_says() -> None:
    asked: list[str] = []

    def picture(content_id: str) -> str | None:
        asked.append(content_id)
        return "/pictures/1?a=b&c=d" if content_id == "logo@example" else None

    cleaned = clean_html('<img src="cid:logo@example"><img src="CID:logo%40example"><img src="cid:other">', picture)
    assert cleaned.html == '<img src="/pictures/1?a=b&amp;c=d"><img src="/pictures/1?a=b&amp;c=d"><img>'
    assert cleaned.blocked_pictures == 0
    assert asked == ["logo@example", "logo@example", "other"]


def test_a_mail_cannot_point_at_a_picture_of_the_page_itself() -> None:
    assert clean('<img src="/pictures/1">') == "<img>"


@pytest.mark.parametrize(
    "tag", ["div", "b", "table", "blockquote", "div title='</div>'", "span", "div><p", "ul><li", "svg><div"]
)
def test_pages_nested_without_end_are_shown_as_text_in_bounded_time(tag: str) -> None:
    started = time.process_time()
    result = clean(f"<{tag}>" * 100_000 + "text")
    assert time.process_time() - started < 5
    assert "text" in result or tag.startswith("svg")


def test_a_page_that_is_too_long_is_shown_as_text() -> None:
    result = clean_html("<p>text</p>" + " " * 5_000_000, no_picture)
    assert result.html == "<pre>text</pre>"
