import email
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fumibako.site.sample.arrivals import arriving
from fumibako.site.sample.mailbox import sample_mails

from .conftest import Running, Start

NOW = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)


def count(server: Running) -> int:
    with server.imap() as client:
        return int(client.select(readonly=True)[1][0])


def wait_for_arrival(server: Running) -> int:
    with server.imap() as client:
        _, (before,) = client.select(readonly=True)
        client.send(b"IDLE IDLE\r\n")
        while not (line := client.readline()).endswith(b"EXISTS\r\n"):
            assert line
    assert int(line.split()[1]) > int(before)
    return int(line.split()[1])


def test_mail_arrives_by_itself_and_stays_after_a_kill(tmp_path: Path, start: Start) -> None:
    running = start(tmp_path, every=0.5)
    told = wait_for_arrival(running)
    running.kill()
    assert count(start(tmp_path)) >= told


def test_after_a_restart_other_mail_arrives(tmp_path: Path, start: Start) -> None:
    subjects = []
    for _ in range(2):
        running = start(tmp_path, every=0.5)
        number = wait_for_arrival(running)
        with running.imap() as client:
            client.select(readonly=True)
            _, data = client.fetch(str(number), "(BODY.PEEK[HEADER.FIELDS (SUBJECT MESSAGE-ID)])")
        subjects.append(data[0][1])
        running.kill()
    assert subjects[0] != subjects[1]


def test_the_first_arrival_answers_a_mail_that_was_sent() -> None:
    mail = email.message_from_bytes(arriving(0, NOW, NOW + timedelta(hours=1)).raw)
    sent = {email.message_from_bytes(mail.raw)["Message-ID"] for mail in sample_mails(NOW) if mail.folder == "送信済み"}
    assert mail["In-Reply-To"] in sent


def test_arrivals_do_not_repeat_their_subjects_soon() -> None:
    subjects = [arriving(number, NOW, NOW + timedelta(minutes=3 * number)).subject for number in range(21)]
    assert len(set(subjects)) == len(subjects)
    ids = {arriving(number, NOW, NOW).ids[-1] for number in range(63)}
    assert len(ids) == 63
