"""`make audit`: starts a server as anybody would, asks it what the audits ask, and closes with one line.

graphql-http's audit is held to the defaults. graphql-cop takes for a finding what is a choice (introspection, the page
for browsers, GET): the defaults may have these findings and no others, and a server that has them off has none. The
clients of both protocols of subscriptions follow a calendar.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from tests.acceptance.processes import Place, Server, bearer, new_place
from tests.audit import cop

HERE: Final = Path(__file__).parent
TIMEOUT_S: Final = 120
CHOICES: Final = frozenset({"introspection", "suggestions", "query_by_get"})
"""Findings of the defaults."""
CLIENTS: Final = ["graphql-ws", "graphql-sse"]
CLOSED: Final = {
    "YOTEI_GRAPHQL_INTROSPECTION": "false",
    "YOTEI_GRAPHQL_PAGE": "false",
    "YOTEI_GRAPHQL_GET": "false",
}


def node(program: str, *arguments: str) -> list[dict[str, Any]]:
    """The lines that a program says, each of them JSON; what goes wrong in it is for people to read."""
    done = subprocess.run(
        ["node", HERE / program, *arguments], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True
    )
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]


def follow(place: Place, token: str) -> list[str]:
    """The clients of both protocols of subscriptions that were told what they should be."""
    with httpx.Client(base_url=place.base, headers=bearer(token), timeout=TIMEOUT_S) as client:
        calendar = client.post("/api/calendars", json={"name": "Audit"}).json()["id"]
    told = node("clients.mjs", f"{place.base}/graphql", token, calendar)
    return [one["name"] for one in told if one["titles"] == [one["name"]]]


def police(server: Server, token: str) -> list[str]:
    with httpx.Client(base_url=server.place.base, timeout=TIMEOUT_S) as client:
        return cop.findings(cop.Door(client, "/graphql", bearer(token)))


def main() -> int:
    if shutil.which("node") is None:
        print("audit: there is no Node here; nothing was audited", file=sys.stderr)  # noqa: T201
        return 1 if os.environ.get("CI") == "true" else 0
    with new_place() as place:
        server = place.start().ready()
        token = place.admin_token()
        checks = node("http.mjs", f"{place.base}/graphql", token)
        followed = follow(place, token)
        by_default = police(server, token)
        assert server.stop() == 0, server.err
        server = place.start(**CLOSED).ready()
        closed = police(server, token)
        assert server.stop() == 0, server.err
    green = [one for one in checks if one["status"] == "ok"]
    for one in checks:
        if one["status"] != "ok":
            print(f"graphql-http {one['id']} {one['status']}: {one['name']}: {one['reason']}")  # noqa: T201
    for name in closed:
        print(f"graphql-cop {name}: {getattr(cop, name).__doc__}")  # noqa: T201
    print(f"followed by: {', '.join(followed)}")  # noqa: T201
    print(f"graphql-cop by default: {', '.join(by_default)}")  # noqa: T201
    unexpected = set(by_default) ^ CHOICES
    if unexpected:
        print(f"graphql-cop by default: not as expected: {', '.join(sorted(unexpected))}")  # noqa: T201
    print(f"graphql-http {len(green)}/{len(checks)}, graphql-cop {len(closed)}")  # noqa: T201
    is_good = bool(checks) and len(green) == len(checks) and not closed and not unexpected and followed == CLIENTS
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
