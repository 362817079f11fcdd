"""Documents that are known beforehand, named by the SHA-256 of their text."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import Caller, Rows
from yotei.settings import GraphqlSettings

ME = "query Me { me { id } }"
WRITES = "mutation Nobody { __typename }"
HASH = sha256(ME.encode()).hexdigest()


@pytest.fixture(params=[False, True], ids=["beside others", "alone"])
def graphql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphqlSettings]:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({HASH: ME, f"sha256:{sha256(WRITES.encode()).hexdigest()}": WRITES}), "utf-8")
    yield GraphqlSettings(trusted_documents=str(path), trusted_only=request.param)


async def post(caller: Caller, body: dict[str, Any]) -> httpx.Response:
    return await caller.client.post("/graphql", json=body, headers=caller.headers)


def persisted(named: object) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": named}}}


@pytest.mark.parametrize(
    "named",
    [
        {"documentId": HASH},
        {"documentId": f"sha256:{HASH}"},
        {"documentId": HASH.upper()},
        persisted(HASH),
        {"query": ME},
        {"query": ME, **persisted(HASH)},
    ],
)
async def test_a_trusted_document_is_executed_by_its_hash(named: dict[str, Any], rows: Rows, admit: Admit) -> None:
    person = await rows.person()
    caller = await admit(person)

    response = await post(caller, named)

    assert response.json() == {"data": {"me": {"id": str(person)}}}


async def test_the_hash_may_stand_in_the_address_but_not_for_a_mutation(rows: Rows, admit: Admit) -> None:
    person = await rows.person()
    caller = await admit(person)

    by_id = await caller.client.get("/graphql", params={"documentId": HASH}, headers=caller.headers)
    persisted_ = {"extensions": json.dumps(persisted(HASH)["extensions"])}
    by_extension = await caller.client.get("/graphql", params=persisted_, headers=caller.headers)
    writing = {"documentId": sha256(WRITES.encode()).hexdigest()}
    mutation = await caller.client.get("/graphql", params=writing, headers=caller.headers)

    assert by_id.json() == by_extension.json() == {"data": {"me": {"id": str(person)}}}
    assert mutation.status_code == 405


@pytest.mark.parametrize("named", [{"documentId": "0" * 64}, persisted("0" * 64)])
async def test_a_hash_that_is_not_known_is_told_in_the_word_that_clients_know(
    named: dict[str, Any], rows: Rows, admit: Admit
) -> None:
    caller = await admit(await rows.person())

    response = await post(caller, named)

    (error,) = response.json()["errors"]
    assert (error["message"], error["extensions"]) == ("PersistedQueryNotFound", {"code": "graphql_document_unknown"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"documentId": "x"},
        {"documentId": 7},
        persisted(None),
        persisted("x"),
        {"extensions": {"persistedQuery": 7}},
        {"query": "{ __typename }", "documentId": HASH},
    ],
)
async def test_a_request_that_names_no_document_or_the_wrong_one_is_refused(
    body: dict[str, Any], rows: Rows, admit: Admit
) -> None:
    caller = await admit(await rows.person())

    response = await post(caller, body)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_request"


async def test_other_texts_are_executed_unless_trusted_ones_are_all_there_is(
    rows: Rows, admit: Admit, graphql: GraphqlSettings
) -> None:
    caller = await admit(await rows.person())
    other = "{ __typename }"

    answer = (await post(caller, {"query": other})).json()
    registering = (await post(caller, {"query": other, **persisted(sha256(other.encode()).hexdigest())})).json()
    later = (await post(caller, persisted(sha256(other.encode()).hexdigest()))).json()

    assert answer == registering
    assert later["errors"][0]["extensions"]["code"] == "graphql_document_unknown"
    if graphql.trusted_only:
        assert answer["errors"][0]["extensions"]["code"] == "graphql_document_not_trusted"
    else:
        assert answer == {"data": {"__typename": "Query"}}
