"""Mails that tests send to the sample mailbox."""

import base64
from email.message import EmailMessage
from email.utils import make_msgid

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""

REMOTE_PICTURE = "https://pictures.kita-shokai.example/opened.png"
FILE_NAME = "御見積書①（髙橋様分）.pdf"
FILE = b"%PDF-1.4 \x00\xff not really one" * 100


def letter(subject: str, text: str, sender: str = "山崎 花子 <h.yamazaki@kita-shokai.example>") -> EmailMessage:
    """A mail of plain text to the owner of the sample mailbox."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "山田 太郎 <taro.yamada@sample-shoji.example>"
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="kita-shokai.example")
    message.set_content(text)
    return message


def letter_with_file() -> EmailMessage:
    """Plain text with characters that old charsets lack, and a file with a Japanese name."""
    message = letter("御見積書をお送りします", "山田様\n\n㈱北商会の山﨑です。見積番号は特急第七号、ｶﾅ品番です。\n")
    message.add_attachment(FILE, maintype="application", subtype="pdf", filename=FILE_NAME)
    return message


def letter_of_html() -> EmailMessage:
    """HTML with a picture that comes along, a picture from elsewhere, and a script."""
    message = letter("秋の新商品のご案内", "秋の新商品のご案内です。")
    message.add_alternative(
        f"""<p>秋の<b>新商品</b>のご案内です。</p><img src="cid:logo@kita-shokai" alt="ロゴ">
        <img src="{REMOTE_PICTURE}" alt="開封"><script>document.title = "開きました"</script>
        <p style="background: url({REMOTE_PICTURE})" onclick="alert(1)">お問い合わせください。</p>""",
        subtype="html",
    )
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(PIXEL, maintype="image", subtype="png", cid="<logo@kita-shokai>")  # type: ignore[union-attr]
    return message


def forged_letter() -> EmailMessage:
    """A mail whose sender's name is the address of somebody else."""
    return letter(
        "至急お振り込みください",
        "口座が変わりました。",
        sender='"社長 shacho@sample-shoji.example" <nobody@forger.example>',
    )
