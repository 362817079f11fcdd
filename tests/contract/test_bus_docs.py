"""docs/bus.md shows the schema of the message that is really read."""

import json
import re
from pathlib import Path

import msgspec

from yotei.bus.hint import XID_MAX, Message

DOCS = Path(__file__).parents[2] / "docs" / "bus.md"
BLOCK = re.compile(r"(?<=```json schema\n).*?(?=```)", re.DOTALL)


def schema() -> str:
    """One line for each field, for people to read."""
    properties = msgspec.json.schema(Message)["$defs"]["Message"]["properties"]
    # The one bound that msgspec cannot say (it keeps bounds within 63 bits).
    properties["xid"]["anyOf"][0]["maximum"] = XID_MAX
    lines = [f'    "{name}": {json.dumps(field)}' for name, field in properties.items()]
    return '{\n  "type": "object",\n  "properties": {\n' + ",\n".join(lines) + "\n  }\n}\n"


def test_the_schema_in_the_documentation_is_the_one_in_the_code() -> None:
    found = BLOCK.search(DOCS.read_text("utf-8"))

    assert found is not None
    assert found[0] == schema(), "write it anew: python -m tests.contract.test_bus_docs"


if __name__ == "__main__":
    DOCS.write_text(BLOCK.sub(lambda _: schema(), DOCS.read_text("utf-8")), "utf-8")
