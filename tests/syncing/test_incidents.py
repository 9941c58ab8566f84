"""A host's incident: begun by three, told once, probed in turn, ended by any login; all of it in the database."""

import asyncio
import threading
from contextlib import ExitStack

import pytest

from fumibako.linking import in_thread
from fumibako.linking.models import Mailbox
from fumibako.syncing.incidents import CAUSE, Incidents
from fumibako.syncing.models import HostIncident
from tests.syncing.refusing_host import AWAY, LOCKED, Workers, link_many, state_of, told, words_heard, workers
from tests.world import World, make_world

WAITS = ("retrying", CAUSE, 0)
OWN = ("retrying", "wrong_credentials", 1)


def test_the_third_refusal_within_ten_minutes_is_the_host_s_and_the_first_two_are_not_counted(
    database_url: str, world: World
) -> None:
    boxes = link_many(world, 5)
    with workers(database_url) as worker:
        worker.refuse(*boxes[:2])
        assert [state_of(box) for box in boxes[:2]] == [OWN, OWN]
        worker.clock = 590
        worker.refuse(boxes[2])
        assert [state_of(box) for box in boxes[:3]] == [WAITS, WAITS, WAITS]
        worker.refuse(*boxes[3:])
    assert [state_of(box) for box in boxes[3:]] == [WAITS, WAITS]
    assert told() == [(False, 2)]


def test_the_host_s_name_may_be_written_in_any_case(database_url: str, world: World) -> None:
    boxes = [*link_many(world, 2), *link_many(world, 1, host="IMAP.Example.JP")]
    with workers(database_url) as worker:
        worker.refuse(*boxes)
    assert [state_of(box) for box in boxes] == [WAITS] * 3


@pytest.mark.parametrize("case", ["too slow", "other hosts", "never worked", "the same one", "others get in"])
def test_what_is_no_incident(database_url: str, world: World, case: str) -> None:
    boxes = link_many(world, 3, worked=case != "never worked")
    if case == "other hosts":
        boxes = [boxes[0], *link_many(world, 1, host="a.example.jp"), *link_many(world, 1, host="b.example.jp")]
    if case == "the same one":
        boxes = [boxes[0]] * 3
    other = link_many(world, 1)[0]
    with workers(database_url) as worker:
        for box in boxes:
            worker.refuse(box)
            worker.clock += 301 if case == "too slow" else 1
            if case == "others get in":
                worker.let_in(other)
    assert not HostIncident.objects.exists() and told() == []


def test_faults_at_a_host_are_no_incident(database_url: str, world: World) -> None:
    with workers(database_url) as worker:
        worker.refuse(*link_many(world, 4), failure=AWAY)
    assert not HostIncident.objects.exists()


def test_one_mailbox_probes_every_five_minutes_and_another_each_time(database_url: str, world: World) -> None:
    boxes = link_many(world, 4)
    probed = []
    with workers(database_url) as worker:
        for box in boxes:
            worker.refuse(box)
            worker.clock += 1
        assert worker.look() == []
        for _ in boxes:
            worker.clock += 300
            [box] = worker.look()
            assert worker.look() == []
            probed.append(box)
            assert state_of(box) == WAITS
            worker.refuse(box)
        worker.clock += 300
        assert worker.look() == [probed[0]]
    assert sorted(probed) == boxes
    assert told() == [(False, 2)]


def test_the_owner_of_a_mailbox_hears_that_it_is_to_probe_and_that_all_are_to_be_tried(
    database_url: str, world: World
) -> None:
    boxes = link_many(world, 3)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        worker.clock += 300
        [probe] = words_heard(database_url, worker.look)
        assert probe == f"try:{boxes[0]}"
        heard = words_heard(database_url, lambda: worker.let_in(boxes[0]))
    assert sorted(heard) == [f"try:{box}" for box in boxes[1:]]


def test_any_login_at_the_host_ends_it_and_the_end_is_told_once(database_url: str, world: World) -> None:
    boxes = link_many(world, 5)
    with workers(database_url) as worker:
        worker.refuse(*boxes[:4])
        assert worker.let_in(boxes[4])
        assert not worker.let_in(boxes[4])
        worker.clock += 300
        assert worker.look() == []
    assert told() == [(False, 2), (True, 4)]
    assert HostIncident.objects.get().ended_at is not None


def test_who_is_refused_after_the_end_begins_with_a_first_refusal_of_their_own(database_url: str, world: World) -> None:
    boxes = link_many(world, 3)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        worker.let_in(boxes[0])
        worker.refuse(boxes[1])
        assert state_of(boxes[1]) == OWN
        worker.clock += 15 * 60
        worker.refuse(boxes[1])
    assert state_of(boxes[1]) == ("needs_attention", "wrong_credentials", 2)


def test_a_directory_that_fails_again_is_a_second_incident(database_url: str, world: World) -> None:
    boxes = link_many(world, 4)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        worker.let_in(boxes[0])
        worker.refuse(*boxes[1:])
    assert [state_of(box) for box in boxes[1:]] == [WAITS] * 3
    assert told() == [(False, 2), (True, 3), (False, 2)]


def test_a_company_that_has_changed_all_its_passwords_is_asked_once_the_first_new_one_works(
    database_url: str, world: World
) -> None:
    boxes = link_many(world, 4)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        # What proving the new password does to the first mailbox.
        Mailbox.objects.filter(pk=boxes[0]).update(state="linking", refusals=0, refused_at=None)
        assert worker.let_in(boxes[0])
        worker.refuse(*boxes[1:])
        assert [state_of(box) for box in boxes[1:]] == [OWN] * 3
        worker.clock += 15 * 60
        worker.refuse(*boxes[1:])
    assert [state_of(box)[0] for box in boxes[1:]] == ["needs_attention"] * 3
    assert told() == [(False, 2), (True, 3)]


def test_after_a_day_without_a_login_each_mailbox_counts_for_itself(database_url: str, world: World) -> None:
    boxes = link_many(world, 3)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        worker.clock += 86401
        assert worker.look() == []
        worker.refuse(*boxes)
    assert [state_of(box) for box in boxes] == [OWN] * 3
    assert told() == [(False, 2), (True, 3)]


def test_a_sign_of_a_lock_out_makes_the_probes_rarer(database_url: str, world: World) -> None:
    boxes = link_many(world, 3)
    with workers(database_url) as worker:
        worker.refuse(*boxes)
        worker.clock += 300
        worker.refuse(*worker.look(), failure=LOCKED)
        worker.clock += 1799
        assert worker.look() == []
        worker.clock += 2
        assert len(worker.look()) == 1
    assert {state_of(box) for box in boxes} == {WAITS}


def test_each_organization_concerned_is_told_once_and_only_those(database_url: str, world: World) -> None:
    others, strangers = make_world("株式会社別", "jiro"), make_world("株式会社他", "saburo")
    link_many(strangers, 1, host="mail.example.net")
    mine, theirs = link_many(world, 3), link_many(others, 2)
    with workers(database_url) as worker:
        worker.refuse(*mine, *theirs)
        worker.let_in(mine[0])
    assert told(world.organization) == [(False, 2), (True, 2)]
    assert told(others.organization) == [(False, 1), (True, 2)]
    assert told(strangers.organization) == []


def test_the_pages_of_the_admins_hear_of_its_begin_and_of_its_end(database_url: str, world: World) -> None:
    boxes, admin = link_many(world, 3), world.add_person("kanri", role="admin")
    with workers(database_url) as worker:
        worker.refuse(*boxes[:2])
        heard = words_heard(database_url, lambda: worker.refuse(boxes[2]), "fumibako_live")
        assert heard.count(f"pe:{admin.pk}") == 1
        assert f"pe:{admin.pk}" in words_heard(database_url, lambda: worker.let_in(boxes[0]), "fumibako_live")


def test_a_mailbox_waits_over_a_restart_of_its_worker_until_it_is_over(database_url: str, world: World) -> None:
    boxes = link_many(world, 4)
    with workers(database_url) as worker:
        worker.refuse(*boxes[:3])

        async def restarted() -> tuple[bool, bool]:
            incidents, try_now = Incidents(worker.pool, worker.now), asyncio.Event()
            waiting = asyncio.create_task(incidents.wait(boxes[0], 0.0, try_now))
            done, _ = await asyncio.wait({waiting}, timeout=3600)
            await in_thread(worker_lets_in)
            await incidents.look()
            await waiting
            return bool(done), try_now.is_set()

        def worker_lets_in() -> None:
            with workers(database_url) as other:
                other.let_in(boxes[3])

        assert worker.run(restarted()) == (False, True)


def test_a_mailbox_without_an_incident_waits_for_its_time_or_for_the_word_to_try(
    database_url: str, world: World
) -> None:
    [box] = link_many(world, 1)
    with workers(database_url) as worker:

        async def waits(seconds: float, asked_after: float) -> float:
            loop, try_now = asyncio.get_running_loop(), asyncio.Event()
            began = loop.time()
            loop.call_later(asked_after, try_now.set)
            await worker.incidents.wait(box, seconds, try_now)
            return loop.time() - began

        assert worker.run(waits(900, asked_after=2000)) == pytest.approx(900)
        assert worker.run(waits(900, asked_after=60)) == pytest.approx(60)
        assert worker.run(waits(-5, asked_after=60)) == pytest.approx(0)


def test_refusals_that_several_workers_record_at_once_make_one_incident(database_url: str, world: World) -> None:
    boxes = link_many(world, 6)
    with ExitStack() as stack:
        both = [stack.enter_context(workers(database_url)) for _ in range(2)]

        def refuse(worker: Workers, mine: list[int]) -> None:
            worker.refuse(*mine)

        threads = [threading.Thread(target=refuse, args=(worker, boxes[half::2])) for half, worker in enumerate(both)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {state_of(box) for box in boxes} == {WAITS}
    assert told() == [(False, 2)]
