"""Who is invited and what they answer: RFC 5546 on answers and SEQUENCE, and what one answer costs."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import Budget
from tests.integration.events.booker import DAY, HOUR, NINE, WEEK, Booker, refusal
from tests.integration.rows import a_user
from yotei.calendars.write import install_user
from yotei.errors import Code
from yotei.events import write
from yotei.events.draft import Invite, Invitee, Respond, Uninvite
from yotei.events.event import Attendee, ResponseStatus
from yotei.storage.pool import Source
from yotei.storage.statements import Statement
from yotei.users.user import NewUser

ANN = Invitee(email="ann@example.org")


async def attendee(booker: Booker, event_id: UUID, email: str) -> Attendee:
    return next(one for one in (await booker.event(event_id)).attendees or () if one.email == email)


@pytest.fixture
async def meeting(aiko: Booker, bob: Booker) -> UUID:
    """Aiko's, to which she, Bob and Ann from outside are invited."""
    people = (Invitee(user_id=aiko.viewer.user_id), Invitee(user_id=bob.viewer.user_id), ANN)
    return await aiko.make(attendees=people)


@pytest.fixture
def bobs(bob: Booker) -> str:
    return f"{bob.viewer.user_id}@example.org"


async def test_the_organizer_has_said_yes_and_the_others_nothing_yet(aiko: Booker, meeting: UUID) -> None:
    answers = (await aiko.event(meeting)).attendees or ()

    assert [one.response_status for one in answers] == ["ACCEPTED", "NEEDS_ACTION", "NEEDS_ACTION"]
    assert [one.user is None for one in answers] == [False, False, True]


async def test_somebody_is_invited_by_id_or_by_address_and_is_the_same_person(
    aiko: Booker, bob: Booker, bobs: str
) -> None:
    by_id = await aiko.make(attendees=(Invitee(user_id=bob.viewer.user_id),))
    by_address = await aiko.make(attendees=(Invitee(email=f" {bobs.upper()} "),))
    by_both = await aiko.make(attendees=(Invitee(user_id=bob.viewer.user_id, email=bobs),))

    found = [(await aiko.event(one)).attendees for one in (by_id, by_address, by_both)]

    assert found[0] == found[1] == found[2]
    assert found[0] is not None
    assert found[0][0].user is not None


async def test_an_address_is_kept_in_one_spelling_and_a_name_as_it_was_given(aiko: Booker) -> None:
    event_id = await aiko.make(attendees=(Invitee(email=" Ann@Example.ORG ", name="Ann", is_optional=True),))

    ann = await attendee(aiko, event_id, "ann@example.org")

    assert (ann.name, ann.is_optional, ann.user) == ("Ann", True, None)


WRONG: list[tuple[tuple[Invitee, ...], str, Code]] = [
    ((ANN, Invitee(email="ANN@example.org")), "body.attendees[1]", Code.INVALID_REQUEST),
    ((Invitee(),), "body.attendees[0]", Code.INVALID_REQUEST),
    ((ANN, Invitee(email="nobody")), "body.attendees[1].email", Code.INVALID_REQUEST),
    ((Invitee(email="a@b c"),), "body.attendees[0].email", Code.INVALID_REQUEST),
    ((ANN, Invitee(user_id=uuid4())), "body.attendees[1].user_id", Code.NOT_FOUND),
    ((ANN, Invitee(email="nul\0@example.org")), "body.attendees[1].email", Code.INVALID_REQUEST),
    ((Invitee(email="ann@example.org", name="A\0n"),), "body.attendees[0].name", Code.INVALID_REQUEST),
]


@pytest.mark.parametrize(("people", "field", "code"), WRONG)
async def test_who_cannot_be_invited_is_named_by_their_place(
    aiko: Booker, people: tuple[Invitee, ...], field: str, code: Code
) -> None:
    event_id = await aiko.make()

    refused = [
        await refusal(aiko.make(attendees=people)),
        await refusal(aiko.patch(event_id, attendees=people)),
        await refusal(aiko.do(Invite(event_id=event_id, attendees=people))),
    ]

    assert [(one.code, one.faults[0].field) for one in refused] == [(code, field)] * 3
    assert (await aiko.event(event_id)).version == 1


async def test_an_id_and_the_address_of_somebody_else_do_not_go_together(aiko: Booker, bob: Booker) -> None:
    both = Invitee(user_id=bob.viewer.user_id, email="ann@example.org")

    problem = await refusal(aiko.make(attendees=(both,)))

    assert problem.faults[0].field == "body.attendees[0].email"


async def test_who_was_erased_or_shut_out_is_not_invited_by_id(aiko: Booker) -> None:
    gone = await a_user(aiko.database, "Gone", deactivated_at=NINE)

    problem = await refusal(aiko.make(attendees=(Invitee(user_id=gone),)))

    assert problem.code is Code.NOT_FOUND


async def test_an_event_has_a_thousand_attendees_at_most(aiko: Booker) -> None:
    many = tuple(Invitee(email=f"guest{n}@example.org") for n in range(1_000))
    event_id = await aiko.make(attendees=many)

    problem = await refusal(aiko.do(Invite(event_id=event_id, attendees=(ANN,))))

    assert problem.faults[0].field == "body.attendees"
    assert (await aiko.event(event_id)).attendee_count == 1_000


async def test_who_stays_on_the_list_keeps_their_answer(aiko: Booker, bob: Booker, meeting: UUID, bobs: str) -> None:
    await bob.do(Respond(event_id=meeting, response_status="TENTATIVE", comment="Perhaps"))

    await aiko.patch(meeting, attendees=(Invitee(email=bobs, is_optional=True), Invitee(email="cem@example.org")))

    after = await attendee(aiko, meeting, bobs)
    assert (after.response_status, after.comment, after.is_optional) == ("TENTATIVE", "Perhaps", True)
    assert [one.email for one in (await aiko.event(meeting)).attendees or ()] == [bobs, "cem@example.org"]


async def test_who_is_invited_again_stays_as_they_are(aiko: Booker, bob: Booker, meeting: UUID, bobs: str) -> None:
    await bob.do(Respond(event_id=meeting, response_status="DECLINED"))
    before = (await aiko.event(meeting)).version

    await aiko.do(Invite(event_id=meeting, attendees=(Invitee(email=bobs, is_optional=True),)))

    after = await attendee(aiko, meeting, bobs)
    assert (after.response_status, after.is_optional) == ("DECLINED", False)
    assert (await aiko.event(meeting)).version == before


async def test_who_is_removed_sees_the_event_no_more(aiko: Booker, bob: Booker, meeting: UUID, bobs: str) -> None:
    saw = await bob.event(meeting)

    await aiko.do(Uninvite(event_id=meeting, email=bobs.upper()))
    nobody = await refusal(aiko.do(Uninvite(event_id=meeting, email=bobs)))

    assert saw.title == "Planning"
    assert (await refusal(bob.event(meeting))).code is Code.NOT_FOUND
    assert (await refusal(bob.do(Respond(event_id=meeting, response_status="ACCEPTED")))).code is Code.NOT_FOUND
    assert nobody.code is Code.NOT_FOUND


async def test_who_is_invited_is_part_of_the_version_and_what_they_answer_is_not(
    aiko: Booker, bob: Booker, meeting: UUID
) -> None:
    await bob.do(Respond(event_id=meeting, response_status="ACCEPTED"))
    after_answer = (await aiko.event(meeting)).version
    await aiko.do(Invite(event_id=meeting, attendees=(Invitee(email="cem@example.org"),)))

    assert after_answer == 1
    assert (await aiko.event(meeting)).version == 2


# Answers


@pytest.mark.parametrize("status", ["ACCEPTED", "DECLINED", "TENTATIVE", "NEEDS_ACTION"])
async def test_one_says_yes_no_perhaps_or_takes_it_back(
    aiko: Booker, bob: Booker, meeting: UUID, bobs: str, status: ResponseStatus
) -> None:
    await bob.do(Respond(event_id=meeting, response_status="ACCEPTED", comment="Yes"))

    await bob.do(Respond(event_id=meeting, response_status=status, comment="So"))

    after = await attendee(aiko, meeting, bobs)
    assert (after.response_status, after.comment) == (status, "So")


async def test_one_answers_for_oneself_and_only_when_invited(aiko: Booker, bob: Booker) -> None:
    event_id = await aiko.make(attendees=(ANN,))

    refused = [
        await refusal(aiko.do(Respond(event_id=event_id, response_status="ACCEPTED"))),
        await refusal(bob.do(Respond(event_id=event_id, response_status="ACCEPTED"))),
        await refusal(bob.do(Respond(event_id=uuid4(), response_status="ACCEPTED"))),
    ]

    assert {one.code for one in refused} == {Code.NOT_FOUND}
    assert await aiko.answers(event_id) == {"ann": "NEEDS_ACTION"}


async def test_an_answer_to_the_series_is_one_to_its_exceptions_too_and_one_to_an_instance_is_not(
    aiko: Booker, bob: Booker, bobs: str
) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=3", attendees=(Invitee(user_id=bob.viewer.user_id),))
    titled = await aiko.patch(series, recurrence_id=NINE + WEEK, title="Own")

    await bob.do(Respond(event_id=series, response_status="ACCEPTED"))
    declined = await bob.do(Respond(event_id=series, recurrence_id=NINE + 2 * WEEK, response_status="DECLINED"))

    answers = [(await attendee(aiko, one, bobs)).response_status for one in (series, titled, declined)]
    assert answers == ["ACCEPTED", "ACCEPTED", "DECLINED"]
    assert [one.title for one in await aiko.listed()] == ["Planning", "Own", "Planning"]


MOVES: list[tuple[dict[str, Any], bool]] = [
    ({"start_time": NINE + HOUR}, True),
    ({"end_time": NINE + 2 * HOUR}, True),
    ({"all_day": True}, True),
    ({"rrule": "FREQ=DAILY;COUNT=2"}, True),
    ({"rdates": (NINE + DAY,)}, True),
    ({"title": "New", "location": "Garden"}, False),
    ({"status": "TENTATIVE"}, False),
    ({"visibility": "PRIVATE"}, False),
    ({"start_time": NINE}, False),
]


@pytest.mark.parametrize(("said", "anew"), MOVES)
async def test_answers_start_anew_with_another_time_except_the_organizers(
    aiko: Booker, bob: Booker, meeting: UUID, bobs: str, said: dict[str, Any], anew: bool
) -> None:
    await bob.do(Respond(event_id=meeting, response_status="ACCEPTED", comment="Yes"))
    await aiko.do(Respond(event_id=meeting, response_status="DECLINED", comment="You go"))

    await aiko.patch(meeting, **said)

    theirs = await attendee(aiko, meeting, bobs)
    own = await attendee(aiko, meeting, f"{aiko.viewer.user_id}@example.org")
    assert (theirs.response_status, theirs.comment) == (("NEEDS_ACTION", None) if anew else ("ACCEPTED", "Yes"))
    assert (own.response_status, own.comment) == ("DECLINED", "You go")


async def test_an_invitation_to_an_address_becomes_that_of_the_person_who_gets_it(aiko: Booker) -> None:
    event_id = await aiko.make(attendees=(ANN,))

    ann_id = await install_user(aiko.database, NewUser(email="Ann@example.org", name="Ann"))

    ann = await attendee(aiko, event_id, "ann@example.org")
    assert ann.user is not None
    assert (ann.user.id, ann.name) == (ann_id, "Ann")
    await aiko.do(Uninvite(event_id=event_id, email="ann@example.org"))


# What an answer costs


COUNTED = Statement(
    name="tests.counted",
    purpose="rows that this connection wrote, by table and by how",
    sql="""select case when relname like 'change\\_log%' then 'change_log' else relname end as relname,
                  n_tup_ins as inserted, n_tup_upd as updated, n_tup_del as deleted, n_tup_hot_upd as hot
           from pg_stat_xact_user_tables""",
)


async def counted(tx: Source) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in await tx.fetch(COUNTED):
        for how in ("inserted", "updated", "deleted", "hot"):
            found[row["relname"], how] += row[how]
    return found


ROW = Statement(name="tests.row", purpose="a row", sql="select xmin::text as xmin, version from events where id = $1")


@pytest.mark.parametrize("by", ["one of a set", "itself"])
async def test_an_answer_writes_one_row_of_its_own_and_one_of_the_log_and_not_the_event(
    aiko: Booker, bob: Booker, meeting: UUID, by: str
) -> None:
    before = await aiko.database.fetchrow(ROW, meeting)
    vacuum = Statement(name="tests.vacuum", purpose="room in the page", sql="vacuum attendees")
    await aiko.database.execute(vacuum)

    async def answer(tx: Source) -> Counter[tuple[str, str]]:
        # What earlier transactions of the connection did is counted until it is flushed.
        counts = await counted(tx)
        if by == "one of a set":
            operation = Respond(event_id=meeting, response_status="ACCEPTED", comment="Yes")
            await write.apply(tx, bob.viewer, [operation], now=NINE)
        else:
            await write.answer_invitation(tx, bob.viewer, meeting, "ACCEPTED", "Yes")
        return await counted(tx) - counts

    written = await aiko.database.run(answer)

    assert written == {
        ("attendees", "updated"): 1,
        ("attendees", "hot"): 1,
        ("change_log", "inserted"): 1,
    }
    assert await aiko.database.fetchrow(ROW, meeting) == before


async def test_an_answer_of_its_own_is_one_statement(aiko: Booker, bob: Booker, meeting: UUID, budget: Budget) -> None:
    async def answer(tx: Source) -> None:
        await write.answer_invitation(tx, bob.viewer, meeting, "ACCEPTED", None)

    with budget(statements=1):
        await aiko.database.run(answer)
