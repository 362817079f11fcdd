"""The description at `/openapi.json` is valid OpenAPI 3.1, complete, and true: a tester made from it finds no fault."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from jsonschema_rs import validator_for

from tests.acceptance.processes import Server, new_server

UNHURRIED = {
    "YOTEI_LIMITS_RATE_PER_S": "1000000",
    "YOTEI_LIMITS_RATE_BURST": "1000000",
    "YOTEI_LIMITS_REFUSED_PER_S": "1000000",
    "YOTEI_LIMITS_REFUSED_BURST": "1000000",
    "YOTEI_LOG_LEVEL": "warning",
}
MANY_WRITES = "/api/batch"
PUBLIC = {"/healthz", "/readyz"}
# `positive_data_acceptance` is left out: that a cursor is one of ours, that a zone or a field is known, and that a
# window ends behind its start, no schema says. `allow_header_conformance`: the framework answers OPTIONS by handler.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with new_server("--demo", **UNHURRIED) as server:
        yield server


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    with urlopen(f"{server.place.base}/openapi.json") as answer:  # noqa: S310
        described: dict[str, Any] = json.load(answer)
    return described


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_openapi_3_1_with_schemas_of_json_schema_2020_12(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for schema in document["components"]["schemas"].values():
        validator_for({"$schema": "https://json-schema.org/draft/2020-12/schema", **document, **schema})


def test_every_operation_says_what_it_is_for_and_how_it_refuses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        if path in PUBLIC:
            assert operation["security"] == [], where
            continue
        wanted = {"400", "401", "403", "429", "503"} | ({"413", "415"} if "requestBody" in operation else set())
        assert wanted <= set(operation["responses"]), where
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], (where, status)


def test_every_parameter_is_described_and_every_number_has_bounds(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            where = f"{method} {path} {parameter['name']}"
            assert parameter.get("description"), where
            schema = parameter["schema"]
            if {"type": "integer"} in [schema, *schema.get("oneOf", ())] or schema.get("type") == "integer":
                assert {"minimum", "maximum"} <= set(schema), where


def test_bodies_admit_no_unknown_field(document: dict[str, Any]) -> None:
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, _, operation in operations(document)
        if "requestBody" in operation
    }

    assert bodies
    for name in bodies:
        assert document["components"]["schemas"][name]["additionalProperties"] is False, name


@pytest.mark.parametrize("admin", [False, True], ids=["somebody", "an administrator"])
def test_requests_made_from_it_find_no_fault(server: Server, tmp_path: Path, admin: bool) -> None:
    token = server.place.admin_token() if admin else _token_shown(server.out)

    done = tried(server, token, tmp_path, "--phases=examples,coverage,fuzzing", f"--exclude-path={MANY_WRITES}")

    assert done.returncode == 0, done.stdout[-6000:]


def test_batches_made_from_it_find_no_fault(server: Server, tmp_path: Path) -> None:
    # Without the phase that draws lists of 1,001 operations: it takes minutes, and other tests send such lists.
    token = _token_shown(server.out)

    done = tried(server, token, tmp_path, "--phases=fuzzing", f"--include-path={MANY_WRITES}")

    assert done.returncode == 0, done.stdout[-6000:]


def tried(server: Server, token: str, folder: Path, phases: str, which: str) -> "subprocess.CompletedProcess[str]":
    """What the tester says of requests that it made from the description."""
    program = Path(sys.executable).with_name("schemathesis")
    return subprocess.run(
        [
            program,
            "run",
            f"{server.place.base}/openapi.json",
            "--header",
            f"Authorization: Bearer {token}",
            "--checks",
            ",".join(CHECKS),
            phases,
            which,
            "--max-examples",
            "5",
            "--seed",
            "1",
            "--generation-deterministic",
            "--continue-on-failure",
            # About the generator, not about us: it seldom draws a list of objects that fits.
            "--suppress-health-check=filter_too_much",
            "--no-color",
            "--warnings",
            "off",
        ],
        cwd=folder,
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _token_shown(out: str) -> str:
    line = next(line for line in out.splitlines() if line.startswith("Token of "))
    return line.split()[-1]
