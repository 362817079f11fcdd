"""What a field of a request over REST is called here, in the paths of refusals and in their sentences."""

import re
from typing import Final

from yotei.api.graphql.inputs import HOURS

_SNAKE: Final = re.compile(r"(?<=[a-z])_([a-z])")
_WORDS: Final = re.compile(r"(?<![\w/])[a-z]+(?:_[a-z]+)+(?![\w/])")
_FIELDS: Final = {"Idempotency-Key": "idempotencyKey"}


def input_field(path: str) -> str:
    """The field of the input for one of a request: `body.working_hours.mon` is in `input.workingHours`."""
    name = re.sub(r"^(?:body|query|header|path)(?:\.|$)", "", path)
    parts = _FIELDS.get(name, name).split(".") if name else []
    if parts and parts[0] in HOURS:
        parts = parts[:1]
    return ".".join(["input", *map(camel, parts)])


def sentence(text: str) -> str:
    """The sentence with its fields as they are called here."""
    return _WORDS.sub(lambda word: camel(word[0]), text)


def camel(snake: str) -> str:
    return _SNAKE.sub(lambda found: found[1].upper(), snake)
