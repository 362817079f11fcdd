"""What payloads are made of has a name, which is another one as soon as they are made of something else."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from yotei.cache.key import Family, shapes
from yotei.caching import families
from yotei.settings import CacheSettings


def struct(*fields: tuple[str, Any] | tuple[str, Any, Any]) -> Any:
    return msgspec.defstruct("Payload", fields, array_like=True, frozen=True)


def named(*types: Any) -> str:
    return shapes(Family(f"family{n}", type_, ttl_s=60.0, l1_ttl_s=60.0) for n, type_ in enumerate(types))


BEFORE = struct(("title", str), ("place", str))


@pytest.mark.parametrize(
    "after",
    [
        struct(("place", str), ("title", str)),
        struct(("title", str), ("place", str | None)),
        struct(("title", str), ("place", str), ("url", str | None, None)),
        struct(("title", str)),
    ],
    ids=["another order", "another type", "one more", "one less"],
)
def test_fields_that_are_others_make_another_name(after: Any) -> None:
    assert named(after) != named(BEFORE)
    assert named(struct(("one", after))) != named(struct(("one", BEFORE)))


def test_what_is_made_alike_has_one_name_in_whatever_order_it_is_told() -> None:
    kinds = families(CacheSettings())

    assert named(struct(("title", str), ("place", str))) == named(BEFORE)
    assert shapes(reversed(kinds)) == shapes(kinds)
    assert shapes(families(CacheSettings(ttl_profile="rfc-003"))) == shapes(kinds)


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from yotei.caching import *; from yotei.settings import *; print(shapes(families(CacheSettings())), end='')"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]

    assert told == [shapes(families(CacheSettings()))] * 2
