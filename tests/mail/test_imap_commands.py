import base64

import pytest

from fumibako.mail.imap import commands
from fumibako.mail.imap.commands import Command, String, Verb, encode

NOTHING = frozenset[str]()
PLUS = frozenset({"LITERAL+"})
MINUS = frozenset({"LITERAL-"})


def test_no_command_that_could_change_a_mailbox_can_be_written():
    changing = {
        *("APPEND", "CLOSE", "COPY", "CREATE", "DELETE", "DELETEACL", "EXPUNGE", "MOVE", "RENAME", "REPLACE", "SELECT"),
        *("SETACL", "SETMETADATA", "SETQUOTA", "STORE", "SUBSCRIBE", "UNSUBSCRIBE"),
    }
    words = {word for verb in Verb for word in verb.split()}
    assert not words & changing


@pytest.mark.parametrize(
    "items", ["BODY[]", "(UID BODY[HEADER])", "body[]", "RFC822", "(UID RFC822.TEXT)", "BINARY[1]", "ALL BODY[]<0.10>"]
)
def test_fetching_what_would_mark_mail_as_read_is_refused(items):
    with pytest.raises(ValueError, match="mark the mail as read"):
        commands.fetch("1:*", items, uid=True)


def test_bodies_are_fetched_by_peek():
    command = commands.fetch("3,5:7", "(UID RFC822.SIZE FLAGS BODY.PEEK[])", uid=True)
    assert encode("A1", command, NOTHING) == [b"A1 UID FETCH 3,5:7 (UID RFC822.SIZE FLAGS BODY.PEEK[])\r\n"]


@pytest.mark.parametrize("sequence", ["", "1:", "a", "1 2", "1\r\nA2 LOGOUT", "1,,2", "$"])
def test_what_is_no_sequence_set_is_refused(sequence):
    with pytest.raises(ValueError, match="sequence set"):
        commands.fetch(sequence, "FLAGS", uid=True)


@pytest.mark.parametrize("build", [lambda raw: Command(Verb.NOOP, (raw,)), lambda raw: Command(Verb.IDLE, (), (raw,))])
@pytest.mark.parametrize("raw", [b"a\r\nb", b"a\n", b"\0"])
def test_a_line_break_cannot_be_smuggled_into_a_command(build, raw):
    with pytest.raises(ValueError, match="line break"):
        build(raw)


def test_search_criteria_cannot_hold_a_line_break():
    with pytest.raises(ValueError, match="line break"):
        commands.uid_search(b"ALL\r\nA2 LOGOUT", extended=False)


def test_names_are_quoted_and_escaped():
    assert encode("A1", commands.examine(b'a "b" \\c', condstore=False), NOTHING) == [
        b'A1 EXAMINE "a \\"b\\" \\\\c"\r\n'
    ]


def test_a_name_in_eight_bits_goes_as_a_literal_that_waits():
    name = "送信".encode()
    assert encode("A1", commands.examine(name, condstore=False), NOTHING) == [b"A1 EXAMINE {6}\r\n", name + b"\r\n"]


def test_literals_do_not_wait_where_the_server_allows_it():
    name = "送信".encode()
    for capabilities in (PLUS, MINUS):
        assert encode("A1", commands.examine(name, condstore=True), capabilities) == [
            b"A1 EXAMINE {6+}\r\n" + name + b" (CONDSTORE)\r\n"
        ]


def test_long_literals_wait_under_literal_minus():
    command = Command(Verb.EXAMINE, (String(b"x" * 5000),))
    assert len(encode("A1", command, MINUS)) == 2
    assert len(encode("A1", command, PLUS)) == 1


def test_a_password_that_is_not_ascii_goes_as_a_literal_in_utf8():
    pieces = encode("A1", commands.login("taro", "あö"), NOTHING)
    assert pieces == [b'A1 LOGIN "taro" {5}\r\n', "あö".encode() + b"\r\n"]


def test_plain_goes_at_once_or_when_asked():
    message = base64.b64encode(b"\0taro\0pw")
    at_once = commands.authenticate_plain("taro", "pw", at_once=True)
    asked = commands.authenticate_plain("taro", "pw", at_once=False)
    assert encode("A1", at_once, NOTHING) == [b"A1 AUTHENTICATE PLAIN " + message + b"\r\n"]
    assert encode("A1", asked, NOTHING) == [b"A1 AUTHENTICATE PLAIN\r\n", message + b"\r\n"]


@pytest.mark.parametrize(
    "command",
    [
        commands.login("taro", "GEHEIM"),
        commands.login("taro", "GEHEIMあ"),
        commands.authenticate_plain("taro", "GEHEIM", at_once=True),
        commands.authenticate_plain("taro", "GEHEIM", at_once=False),
        commands.authenticate_login("taro", "GEHEIM"),
    ],
)
def test_the_representation_of_a_command_shows_no_argument(command):
    for shown in (repr(command), str(command), f"{command}"):
        assert "GEHEIM" not in shown
        assert "taro" not in shown
        assert base64.b64encode(b"GEHEIM").decode() not in shown


def test_identify_says_who_we_are():
    assert encode("A1", commands.identify({"name": "Fumibako"}), NOTHING) == [b'A1 ID ("name" "Fumibako")\r\n']


def test_list_asks_for_special_uses_where_told_to():
    assert encode("A1", commands.list_folders(special_use=True), NOTHING) == [
        b'A1 LIST "" "*" RETURN (SPECIAL-USE)\r\n'
    ]
    assert encode("A1", commands.list_folders(special_use=False), NOTHING) == [b'A1 LIST "" "*"\r\n']
