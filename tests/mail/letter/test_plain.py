from fumibako.mail.letter.plain import html_to_text, snippet


def test_blocks_rows_and_items_stand_on_lines_of_their_own() -> None:
    html = (
        "<div>一</div><div>二</div><table><tr><td>品名</td><td>数量</td></tr><tr><td>箱</td><td>3</td></tr></table>"
        "<ul><li>甲</li><li>乙</li></ul>"
    )
    assert html_to_text(html) == "一\n\n二\n\n品名 数量\n\n箱 3\n\n・甲\n\n・乙"


def test_what_is_not_shown_is_not_text() -> None:
    html = (
        "<title>t</title><style>p > a < b {}</style><script>if (a<b) '</p>'</script>見<!-- c <p> -->える"
        "<!--[if mso]><p>x</p><![endif]--><STYLE>y</STYLE >"
    )
    assert html_to_text(html) == "見える"


def test_entities_are_characters_and_padding_is_gone() -> None:
    assert html_to_text("A&amp;B &lt;tag&gt;&nbsp;&#12354;&#0;&zwnj;&#847;&#8203;") == "A&B <tag> あ\ufffd"


def test_a_lone_less_than_is_text() -> None:
    assert html_to_text("3 < 4") == "3 < 4"


def test_preformatted_lines_are_kept() -> None:
    assert html_to_text("<pre>one\ntwo</pre>three\nfour") == "one\ntwo\n\nthree four"


def test_a_snippet_leaves_out_quotes_rulers_and_what_was_answered() -> None:
    text = (
        "お世話になっております。\n\n＞ 引用\n> quoted\n======\n  山田です。　\n\n"
        "2025年11月25日(火) 10:00 佐藤 <s@example.jp> のメール:\n古い文"
    )
    assert snippet(text) == "お世話になっております。 山田です。"
    assert snippet("見ました。\n-----Original Message-----\nFrom: a") == "見ました。"
    assert snippet("OK\n\nOn Tue, Nov 25, 2025 at 10:00 AM Sato <s@example.jp> wrote:\n> a") == "OK"


def test_a_snippet_is_never_longer_than_200_characters() -> None:
    assert snippet("あ" * 5000) == "あ" * 200


def test_a_mail_of_quotes_alone_shows_them() -> None:
    assert snippet("> 引用だけ") == "> 引用だけ"
