"""The verbs beside `run`, beside a server that runs and without one."""

from collections.abc import Iterator

import pytest

from tests.acceptance.processes import Place, Server, bearer, new_place, new_server, status

VERBS = (
    (),
    ("run",),
    ("config",),
    ("migrate",),
    ("user",),
    ("user", "add"),
    ("user", "list"),
    ("token",),
    ("token", "create"),
    ("token", "list"),
    ("token", "revoke"),
    ("import",),
    ("export",),
    ("seed",),
    ("plan",),
    ("backup",),
    ("restore",),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with new_server() as server:
        yield server


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as place:
        yield place


def done(place: Place, *arguments: str, **settings: str) -> str:
    """What a verb prints, when it succeeds."""
    completed = place.run(*arguments, **settings)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def refused(place: Place, *arguments: str) -> str:
    completed = place.run(*arguments)
    assert completed.returncode == 1, completed.stdout
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    return completed.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself_without_a_database(served: Server, verb: tuple[str, ...]) -> None:
    said = done(served.place, *verb, "--help", YOTEI_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")

    assert said.startswith(f"Usage: yotei {' '.join(verb)}".rstrip())


@pytest.mark.parametrize("everything", [False, True])
def test_config_masks_the_password(served: Server, everything: bool) -> None:
    url = "postgresql://yotei:open+sesame@db.example.org/yotei?password=open+sesame"

    said = done(served.place, "config", *(["--all"] if everything else []), YOTEI_DATABASE_URL=url)

    assert "sesame" not in said
    assert "********" in said


def test_migrate_plans_applies_and_reports_without_a_server(place: Place) -> None:
    planned = done(place, "migrate", "--plan")
    applied = done(place, "migrate")
    left = done(place, "migrate", "--plan")
    reported = done(place, "migrate", "--status")

    assert planned.splitlines()[0] == "0001_people_calendars.sql"
    assert applied.startswith("Migrated 0001_people_calendars.sql in ")
    assert len(applied.splitlines()) == len(planned.splitlines())
    assert left == "Nothing to apply.\n"
    assert "people_calendars" in reported
    assert "not yet" not in reported
    assert place.processes() == {}


def test_people_need_a_migrated_database(place: Place) -> None:
    assert "run `yotei migrate` first" in refused(place, "user", "add", "aiko@example.org", "Aiko")


def test_the_first_administrator_has_a_token_that_works(served: Server) -> None:
    said = done(served.place, "user", "add", "first@example.org", "First", "--admin")

    token = said.split()[-1]
    assert status(f"{served.place.base}/api/users", bearer(token)) == 200
    assert "first@example.org" in done(served.place, "user", "list")
    again = refused(served.place, "user", "add", "first@example.org", "Again")
    assert again == "yotei: email: somebody has this address already\n"


def test_a_token_works_until_it_is_revoked_beside_the_running_server(served: Server) -> None:
    place = served.place
    done(place, "user", "add", "aiko@example.org", "Aiko")
    token = done(place, "token", "create", "aiko@example.org", "--name", "laptop").strip()
    before = status(f"{place.base}/api/users/me", bearer(token))
    listed = done(place, "token", "list", "aiko@example.org")

    row = next(line for line in listed.splitlines() if "laptop" in line)
    done(place, "token", "revoke", row.split()[0])

    assert before == 200
    assert token not in listed
    assert status(f"{place.base}/api/users/me", bearer(token)) == 401


def test_tokens_of_nobody_are_refused(served: Server) -> None:
    assert "no such user" in refused(served.place, "token", "create", "nobody@example.org")


def test_a_backup_brings_back_what_was_there_and_a_broken_file_changes_nothing(served: Server) -> None:
    place = served.place
    file, broken = place.folder / "kept.backup", place.folder / "broken.backup"
    token = done(place, "user", "add", "kept@example.org", "Kept", "--admin").split()[-1]
    done(place, "backup", str(file))
    done(place, "user", "add", "later@example.org", "Later")
    broken.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    unasked = refused(place, "restore", str(file))
    half = refused(place, "restore", "--replace", str(broken))
    unchanged = done(place, "user", "list")
    done(place, "restore", "--replace", str(file))

    assert "is not empty: `--replace` replaces what is there" in unasked
    assert "pg_restore failed" in half
    assert "later@example.org" in unchanged
    people = done(place, "user", "list")
    assert "kept@example.org" in people
    assert "later@example.org" not in people
    assert file.stat().st_mode & 0o777 == 0o600
    assert status(f"{place.base}/api/users/me", bearer(token)) == 200


def test_seed_refuses_a_database_that_holds_events(place: Place) -> None:
    done(place, "migrate")
    done(place, "seed", "--events", "200")

    said = refused(place, "seed", "--events", "200")

    assert said == ("yotei: the database holds events already: seeding needs one without any; nothing was changed\n")


def test_a_plan_is_printed_without_a_database_and_refused_over_its_budget(place: Place) -> None:
    small, large = place.folder / "small.graphql", place.folder / "large.graphql"
    small.write_text("query Mine($with: Boolean!) { me { name } calendars @include(if: $with) { nodes { name } } }")
    large.write_text("{ me { id } calendars { nodes { id } } tokens { id } resources { nodes { id } } }")
    nowhere = {"YOTEI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

    whole = done(place, "plan", str(small), **nowhere)
    part = done(place, "plan", str(small), "--variables", '{"with": false}', **nowhere)
    wider = done(place, "plan", str(large), YOTEI_LIMITS_GRAPHQL_STATEMENTS_MAX="5", **nowhere)

    assert whole.splitlines()[0] == "query Mine: 2 statements, about 101 rows"
    assert part.splitlines()[-1] == "with the token 2 statements"
    assert wider.splitlines()[-1] == "with the token 5 statements"
    assert "at most 3 statements" in refused(place, "plan", str(large))
    assert "expected a JSON object" in refused(place, "plan", str(small), "--variables", "[1]")
    assert "Cannot query field" in refused(place, "plan", _written(place, "{ mine }"))


def _written(place: Place, document: str) -> str:
    path = place.folder / "wrong.graphql"
    path.write_text(document)
    return str(path)
