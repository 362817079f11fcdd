"""The file of trusted documents is refused whole when something in it is not what it says."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from yotei.api.graphql import trusted
from yotei.settings import SettingsError

TEXT = "{ __typename }"


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^graphql\.trusted_documents: .*missing\.json: No such file"):
        trusted.load(tmp_path / "missing.json", only=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected a map of hashes to texts"),
        ("[]", "expected a map of hashes to texts"),
        ('{"a": 1}', "expected a map of hashes to texts"),
        (json.dumps({"0" * 64: TEXT}), f"{'0' * 64} is not the SHA-256 of its text"),
        (json.dumps({sha256(TEXT.encode()).hexdigest(): TEXT + " "}), "is not the SHA-256 of its text"),
    ],
)
def test_a_file_of_something_else_stops_the_start(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text(content, "utf-8")

    with pytest.raises(SettingsError, match=said):
        trusted.load(path, only=False)


def test_more_documents_than_there_is_room_for_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    texts = [f"{{ a{n}: __typename }}" for n in range(trusted.DOCUMENTS_MAX + 1)]
    path.write_text(json.dumps({sha256(one.encode()).hexdigest(): one for one in texts}), "utf-8")

    with pytest.raises(SettingsError, match="expected at most 10000 documents"):
        trusted.load(path, only=False)
