"""Every code is documented, once, and no other."""

import re
from pathlib import Path

from yotei.errors import Code

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"


def test_codes_are_unique() -> None:
    codes = [code.code for code in Code]

    assert len(codes) == len(set(codes))


def test_every_code_has_a_heading_and_every_heading_is_a_code() -> None:
    headings = re.findall(r"^## (\w+)$", DOCS.read_text("utf-8"), re.MULTILINE)

    assert headings == [code.code for code in Code]


def test_the_table_gives_each_code_its_status() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ([a-z_, ]+) \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    told = {
        code.strip(): {int(one) for one in statuses.split(",")} for statuses, codes in rows for code in codes.split(",")
    }

    assert set(told) == {code.code for code in Code}
    assert all(code.status in told[code.code] for code in Code)
