"""Who a token speaks for, and how tokens come and go."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_user
from yotei.errors import Code, Problem
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens, write
from yotei.users.user import Viewer

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ALL = frozenset({"read", "write", "admin"})
ANYWHERE = "yotei_" + "a" * 43


def asking(user_id: UUID, *, is_admin: bool = False, scopes: frozenset[str] = ALL) -> Viewer:
    return Viewer(user_id, "UTC", is_admin, scopes, None)


async def a_token(database: Database, user_id: UUID, scopes: frozenset[str] = ALL, **fields: Any) -> str:
    return (await tokens.issue(database, user_id, name="a token", scopes=scopes, now=NOW, **fields))[1]


async def refusal(database: Database, raw: str, on_behalf_of: str | None = None, now: datetime = NOW) -> Problem:
    with pytest.raises(Problem) as refused:
        await tokens.authenticate(database, raw, on_behalf_of, now)
    return refused.value


async def test_a_token_speaks_for_its_user_in_one_statement(database: Database, budget: Budget) -> None:
    aiko = await a_user(database, tzid="Asia/Tokyo")
    raw = await a_token(database, aiko, frozenset({"read"}))

    with budget(statements=1):
        viewer = await tokens.authenticate(database, raw, None, NOW)

    assert (viewer.user_id, viewer.tzid, viewer.scopes) == (aiko, "Asia/Tokyo", frozenset({"read"}))
    assert (viewer.is_admin, viewer.service) == (False, False)


@pytest.mark.parametrize("raw", ["", "yotei_", ANYWHERE[:-1], ANYWHERE + "a", "Yotei_" + "a" * 43, ANYWHERE + "\n"])
async def test_what_cannot_be_a_token_is_refused_without_a_statement(
    database: Database, budget: Budget, raw: str
) -> None:
    with budget(statements=0):
        problem = await refusal(database, raw)

    assert problem.code is Code.UNAUTHORIZED


async def test_unknown_expired_revoked_and_deactivated_are_refused_in_the_same_words(database: Database) -> None:
    admin, aiko, ben = [await a_user(database, is_admin=n == 0) for n in range(3)]
    expired = await a_token(database, aiko, expires_at=NOW + timedelta(days=1))
    token, revoked = await tokens.issue(database, aiko, name="x", scopes=ALL, now=NOW)
    await tokens.revoke(database, asking(aiko), token.id)
    deactivated = await a_token(database, ben)
    await database.run(partial(write.deactivate, viewer=asking(admin, is_admin=True), user_id=ben))

    problems = [
        await refusal(database, ANYWHERE),
        await refusal(database, expired, now=NOW + timedelta(days=1)),
        await refusal(database, revoked),
        await refusal(database, deactivated),
    ]

    assert {problem.code for problem in problems} == {Code.UNAUTHORIZED}
    assert len({problem.detail for problem in problems}) == 1


async def test_a_token_works_again_when_its_user_does(database: Database) -> None:
    admin, ben = await a_user(database, is_admin=True), await a_user(database)
    raw = await a_token(database, ben)
    await database.run(partial(write.deactivate, viewer=asking(admin, is_admin=True), user_id=ben))

    await database.run(partial(write.reactivate, viewer=asking(admin, is_admin=True), user_id=ben))

    assert (await tokens.authenticate(database, raw, None, NOW)).user_id == ben


async def test_the_tokens_of_an_erased_person_are_gone(database: Database) -> None:
    admin, ben = await a_user(database, is_admin=True), await a_user(database)
    raw = await a_token(database, ben)

    await database.run(partial(write.erase, viewer=asking(admin, is_admin=True), user_id=ben))

    assert (await refusal(database, raw)).code is Code.UNAUTHORIZED
    assert await tokens.list_for(database, asking(admin, is_admin=True), ben) == []


@pytest.mark.parametrize("by", ["id", "address"])
async def test_a_service_token_acts_for_a_person_by_id_and_by_address(
    database: Database, budget: Budget, by: str
) -> None:
    bot, aiko = await a_user(database, "Bot"), await a_user(database, tzid="Asia/Tokyo")
    raw = await a_token(database, bot, kind="SERVICE")

    with budget(statements=1):
        viewer = await tokens.authenticate(database, raw, str(aiko) if by == "id" else f" {aiko}@Example.org", NOW)

    assert (viewer.user_id, viewer.tzid, viewer.service) == (aiko, "Asia/Tokyo", True)


async def test_a_service_token_alone_acts_as_its_own_user(database: Database) -> None:
    bot = await a_user(database, "Bot")
    raw = await a_token(database, bot, kind="SERVICE")

    viewer = await tokens.authenticate(database, raw, None, NOW)

    assert viewer.user_id == bot


async def test_a_user_token_acts_for_nobody_else_and_does_not_tell_who_exists(database: Database) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    raw = await a_token(database, aiko)

    there = await refusal(database, raw, str(ben))
    not_there = await refusal(database, raw, str(uuid7()))

    assert there.code is not_there.code is Code.FORBIDDEN
    assert there.detail == not_there.detail


async def test_a_service_token_acts_for_nobody_who_is_deactivated_or_unknown(database: Database) -> None:
    admin, bot, ben = [await a_user(database, is_admin=n == 0) for n in range(3)]
    raw = await a_token(database, bot, kind="SERVICE")
    await database.run(partial(write.deactivate, viewer=asking(admin, is_admin=True), user_id=ben))

    problems = [await refusal(database, raw, named) for named in (str(ben), f"{ben}@example.org", str(uuid7()))]

    assert {problem.code for problem in problems} == {Code.FORBIDDEN}


@pytest.mark.parametrize(
    ("person_is_admin", "token_has_scope", "expected"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
@pytest.mark.parametrize("on_behalf", [False, True])
async def test_an_administrator_needs_the_scope_too(
    database: Database, person_is_admin: bool, token_has_scope: bool, expected: bool, on_behalf: bool
) -> None:
    person = await a_user(database, is_admin=person_is_admin)
    # An administrator behind the service token gives nothing to the person that it acts for.
    owner = await a_user(database, is_admin=True) if on_behalf else person
    scopes = ALL if token_has_scope else ALL - {"admin"}
    raw = await a_token(database, owner, scopes, kind="SERVICE" if on_behalf else "USER")

    viewer = await tokens.authenticate(database, raw, str(person) if on_behalf else None, NOW)

    assert viewer.is_admin is expected


async def test_a_token_that_only_reads_makes_no_other(database: Database, budget: Budget) -> None:
    aiko = await a_user(database)
    reader = asking(aiko, scopes=frozenset({"read"}))

    with budget(statements=0), pytest.raises(Problem, match="`write`") as refused:
        await tokens.create(database, reader, name="x", scopes={"read"}, kind="USER", expires_at=None, now=NOW)

    assert refused.value.code is Code.FORBIDDEN


async def test_no_token_is_given_a_scope_that_the_one_who_makes_it_lacks(database: Database) -> None:
    aiko = await a_user(database)

    with pytest.raises(Problem, match="`admin`") as refused:
        await tokens.create(
            database,
            asking(aiko, scopes=frozenset({"read", "write"})),
            name="more",
            scopes={"read", "admin"},
            kind="USER",
            expires_at=None,
            now=NOW,
        )

    assert refused.value.code is Code.FORBIDDEN


@pytest.mark.parametrize("is_admin", [True, False])
async def test_only_administrators_make_service_tokens(database: Database, is_admin: bool) -> None:
    aiko = await a_user(database, is_admin=is_admin)
    made = tokens.create(
        database, asking(aiko, is_admin=is_admin), name="x", scopes={"read"}, kind="SERVICE", expires_at=None, now=NOW
    )

    if is_admin:
        assert (await made)[0].kind == "SERVICE"
    else:
        with pytest.raises(Problem) as refused:
            await made
        assert refused.value.code is Code.FORBIDDEN


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=-1), timedelta(days=3_654)])
async def test_a_token_ends_within_ten_years_or_never(database: Database, after: timedelta) -> None:
    aiko = await a_user(database)

    with pytest.raises(Problem) as refused:
        await a_token(database, aiko, expires_at=NOW + after)

    assert [fault.field for fault in refused.value.faults] == ["body.expires_at"]


async def test_live_tokens_are_bounded_even_when_two_are_made_at_once(database: Database) -> None:
    aiko = await a_user(database)
    for _ in range(tokens.LIVE_TOKENS_MAX - 1):
        await a_token(database, aiko)

    made = await asyncio.gather(*(a_token(database, aiko) for _ in range(4)), return_exceptions=True)

    refused = [one for one in made if isinstance(one, Problem)]
    assert [one.code for one in refused] == [Code.CONFLICT] * 3


async def test_a_token_of_the_same_name_is_replaced_where_the_bound_is_reached(database: Database) -> None:
    aiko = await a_user(database)
    old = await a_token(database, aiko)

    new = await a_token(database, aiko, replace=True)

    assert (await refusal(database, old)).code is Code.UNAUTHORIZED
    assert (await tokens.authenticate(database, new, None, NOW)).user_id == aiko


async def test_the_list_is_ones_own_and_holds_no_secret(database: Database, budget: Budget) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    raw = await a_token(database, aiko)

    with budget(statements=1):
        listed = await tokens.list_for(database, asking(aiko), aiko)

    assert [(one.name, one.scopes) for one in listed] == [("a token", ("admin", "read", "write"))]
    assert raw not in repr(listed)
    with pytest.raises(Problem) as refused:
        await tokens.list_for(database, asking(ben), aiko)
    assert refused.value.code is Code.FORBIDDEN


async def test_the_token_of_another_is_not_found_unless_an_administrator_revokes_it(database: Database) -> None:
    aiko, ben, admin = [await a_user(database, is_admin=n == 2) for n in range(3)]
    token, raw = await tokens.issue(database, aiko, name="x", scopes=ALL, now=NOW)

    with pytest.raises(Problem) as refused:
        await tokens.revoke(database, asking(ben), token.id)
    await tokens.revoke(database, asking(admin, is_admin=True), token.id)
    await tokens.revoke(database, asking(admin, is_admin=True), token.id)

    assert refused.value.code is Code.NOT_FOUND
    assert (await refusal(database, raw)).code is Code.UNAUTHORIZED


async def test_of_a_secret_only_the_hash_is_stored(database: Database) -> None:
    aiko = await a_user(database)

    raw = await a_token(database, aiko)

    everything = await everything_stored(database)
    assert raw not in everything
    assert raw.removeprefix(tokens.PREFIX) not in everything
    assert raw.encode().hex() not in everything
    assert sha256(raw.encode()).hexdigest() in everything


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"scopes": frozenset()}, "body.scopes"),
        ({"scopes": frozenset({"read", "everything"})}, "body.scopes"),
    ],
)
async def test_what_cannot_be_a_token_is_not_made(database: Database, fields: dict[str, Any], named: str) -> None:
    aiko = await a_user(database)

    with pytest.raises(Problem) as refused:
        await tokens.issue(database, aiko, **{"name": "x", "scopes": ALL, "now": NOW, **fields})

    assert [fault.field for fault in refused.value.faults] == [named]


async def test_nobody_who_is_shut_out_gets_a_token(database: Database) -> None:
    admin, ben = await a_user(database, is_admin=True), await a_user(database)
    await database.run(partial(write.deactivate, viewer=asking(admin, is_admin=True), user_id=ben))

    for user_id in (ben, uuid7()):
        with pytest.raises(Problem) as refused:
            await a_token(database, user_id)

        assert refused.value.code is Code.NOT_FOUND


async def everything_stored(database: Database) -> str:
    """All rows of the table of tokens, bytes as hexadecimal digits."""
    rows = await database.fetch(Statement(name="tests.all", purpose="all of it", sql="select t::text from tokens t"))
    return "\n".join(row["t"] for row in rows)
