"""Where settings come from, which one wins, and how a wrong one is named."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from yotei.settings import (
    MASK,
    DatabaseSettings,
    ReplicaSettings,
    Settings,
    SettingsError,
    leaves,
    load,
    mask_url,
    masked,
)


def written(folder: Path, toml: str) -> Path:
    file = folder / "yotei.toml"
    file.write_text(toml, "utf-8")
    return file


def refusal(environment: Mapping[str, str], file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(environment, file)
    return str(refused.value)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `yotei.toml` lies in the working folder."""
    monkeypatch.chdir(tmp_path)


def test_without_a_word_the_defaults_hold() -> None:
    assert load({}) == Settings()


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 1000\nworkers = 2\n[log]\nlevel = 'error'\n")

    found = load({"YOTEI_SERVER_PORT": "2000"}, file)

    assert (found.server.port, found.server.workers, found.server.host) == (2000, 2, "127.0.0.1")
    assert found.log.level == "error"


def test_the_file_of_the_working_folder_is_read_unless_another_is_named(tmp_path: Path) -> None:
    written(tmp_path, "[server]\nport = 1000\n")
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 3000\n")

    assert load({}).server.port == 1000
    assert load({"YOTEI_CONFIG": str(other)}).server.port == 3000


@pytest.mark.parametrize(
    ("variable", "text", "path", "expected"),
    [
        ("YOTEI_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "server.trusted_proxies", ("10.0.0.0/8", "::1")),
        ("YOTEI_SERVER_CORS_ORIGINS", "https://a.example", "server.cors_origins", ("https://a.example",)),
        ("YOTEI_SERVER_CORS_ORIGINS", "", "server.cors_origins", ()),
        ("YOTEI_REPLICA_URLS", "postgres://a/y,postgres://b/y", "replica.urls", ("postgres://a/y", "postgres://b/y")),
        ("YOTEI_POOL_SIZE_MAX", "7", "pool.size_max", 7),
        ("YOTEI_POOL_ACQUIRE_TIMEOUT_S", "0.5", "pool.acquire_timeout_s", 0.5),
        ("YOTEI_LIMITS_STRICT_STATEMENTS", "true", "limits.strict_statements", True),
        ("YOTEI_DATABASE_MIGRATE_ON_START", "0", "database.migrate_on_start", False),
        ("YOTEI_DATABASE_URL", "postgresql://db/yotei", "database.url", "postgresql://db/yotei"),
    ],
)
def test_the_environment_has_a_word_for_every_kind_of_value(
    variable: str, text: str, path: str, expected: object
) -> None:
    found: object = load({variable: text})

    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected


def test_what_kubernetes_makes_for_a_service_called_yotei_is_not_ours() -> None:
    made = {
        "YOTEI_SERVICE_HOST": "10.96.0.7",
        "YOTEI_SERVICE_PORT": "8000",
        "YOTEI_SERVICE_PORT_HTTP": "8000",
        "YOTEI_PORT": "tcp://10.96.0.7:8000",
        "YOTEI_PORT_8000_TCP": "tcp://10.96.0.7:8000",
        "YOTEI_PORT_8000_TCP_PROTO": "tcp",
        "YOTEI_PORT_8000_TCP_PORT": "8000",
        "YOTEI_PORT_8000_TCP_ADDR": "10.96.0.7",
        "YOTEI_PORT_53_UDP": "udp://10.96.0.7:53",
        "YOTEI_DB_SERVICE_HOST": "10.96.0.8",
        "YOTEI_DB_PORT": "tcp://10.96.0.8:5432",
        "YOTEI_SERVER_PORT": "tcp://10.96.0.9:8000",
    }

    assert load(made) == Settings()


@pytest.mark.parametrize(
    "variable", ["YOTEI_PORT", "YOTEI_PORT_TCP", "YOTEI_PORT_8000_TCP_X", "YOTEI_SERVICE", "YOTEI_HOST"]
)
def test_what_only_looks_like_kubernetes_still_stops_the_start(variable: str) -> None:
    assert refusal({variable: "8000"}).startswith(f"{variable}: there is no such setting")


def test_variables_of_others_are_not_ours() -> None:
    assert load({"PATH": "/bin", "yotei_server_port": "1", "YOTEIX": "1"}) == Settings()


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[server]\nprot = 8000", "server.prot: there is no such setting"),
        ("[servers]\nport = 8000", "servers: there is no such setting"),
        ("port = 8000", "port: there is no such setting"),
        ("server = 8000", "server: expected `object`, got `int`"),
        ("[server]\nport = 'eighty'", "server.port: expected `int`"),
        ("[server]\nport = 0", "server.port: expected `int` >= 1"),
        ("[server]\nport = 65536", "server.port: expected `int` <= 65535"),
        ("[server]\nport = [1]", "server.port: expected `int`, got `array`"),
        ("[server]\ncors_origins = 'https://a.example'", "server.cors_origins: expected `array`, got `str`"),
        ("[server]\ncors_origins = [[1]]", "server.cors_origins[0]: expected `str`"),
        ("[replica]\nurls = ['db:5432']", "replica.urls: expected addresses that start with postgresql://"),
        ("[server]\ntrusted_proxies = ['10.0.0.1/8']", "server.trusted_proxies: expected addresses or networks"),
        ("[database]\nurl = 'mysql://db'", "database.url: expected an address that starts with postgresql://"),
        ("[pool]\nacquire_timeout_s = 0", "pool.acquire_timeout_s: expected `float` > 0"),
        ("[limits]\npage_size_default = 600", "limits.page_size_default: expected at most limits.page_size_max"),
        ("[log]\nlevel = 'loud'", "log.level: expected one of debug, info, warning, error, got 'loud'"),
        ("[cache]\npoll_ms = 600\nlease_ms = 1000", "cache.poll_ms: expected at most half of cache.lease_ms"),
        ("[cache]\nnegative_ttl_s = 3", "cache.negative_ttl_s: expected at most cache.lease_ms"),
        ("[redis]\nsoft_ms = 501", "redis.soft_ms: expected at most redis.hard_ms"),
        ("[change_log]\nkeep_days = 1", "change_log.keep_days: expected more days than change_log.transaction_max_s"),
        (
            "[change_log]\nkeep_days = 1\ntransaction_max_s = 83_000",
            "change_log.keep_days: expected more days than change_log.transaction_max_s and an hour",
        ),
        ("[change_log]\ntransaction_max_s = 600", "change_log.transaction_max_s: expected `int` >= 3600"),
    ],
)
def test_a_wrong_setting_of_the_file_is_named_by_its_path(tmp_path: Path, toml: str, named: str) -> None:
    assert refusal({}, written(tmp_path, toml)).startswith(named)


@pytest.mark.parametrize(
    ("variable", "text", "named"),
    [
        ("YOTEI_SERVER_PROT", "1", "YOTEI_SERVER_PROT: there is no such setting"),
        ("YOTEI_", "1", "YOTEI_: there is no such setting"),
        ("YOTEI_SERVER", "1", "YOTEI_SERVER: there is no such setting"),
        ("YOTEI_SERVER_PORT", "eighty", "server.port: expected `int`"),
        ("YOTEI_SERVER_PORT", "", "server.port: expected `int`"),
        ("YOTEI_SERVER_PORT", "70000", "server.port: expected `int` <= 65535"),
        ("YOTEI_LIMITS_STRICT_STATEMENTS", "perhaps", "limits.strict_statements: expected `bool`"),
        ("YOTEI_DATABASE_URL", "", "database.url: expected an address"),
        (
            "YOTEI_SERVER_TRUSTED_PROXIES",
            "10.0.0.1, nonsense",
            "server.trusted_proxies: expected addresses or networks",
        ),
    ],
)
def test_a_wrong_setting_of_the_environment_is_named(variable: str, text: str, named: str) -> None:
    assert refusal({variable: text}).startswith(named)


def test_a_section_that_is_none_is_named_before_the_environment_is_laid_over_it(tmp_path: Path) -> None:
    file = written(tmp_path, "server = 8000")

    assert refusal({"YOTEI_SERVER_PORT": "1"}, file) == "server: expected a table of settings"


@pytest.mark.parametrize("content", [b"[server", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)

    assert refusal({}, file).startswith(f"{file}: not TOML: ")


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"

    assert refusal({"YOTEI_CONFIG": str(missing)}) == f"{missing}: No such file or directory"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://yotei:s3cret@db:5432/yotei",
        "postgresql://yotei:s3cret@with@signs@db/yotei",
        "postgresql://:s3cret@db/yotei",
        "postgresql://db/yotei?password=s3cret",
        "postgresql://yotei@db/yotei?sslmode=require&password=s3cret&x=1",
        "postgresql://yotei@db/yotei?sslkey=k&sslpassword=s3cret",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    shown = mask_url(url)

    assert "s3cret" not in shown
    assert "signs" not in shown
    assert MASK in shown
    assert "db" in shown


def test_an_address_without_a_password_is_shown_as_it_is() -> None:
    url = "postgresql://yotei@db:5432/yotei?sslmode=require"

    assert mask_url(url) == url


def test_the_tree_that_people_read_is_masked_and_whole() -> None:
    url = "postgresql://yotei:s3cret@db/yotei"
    shown = masked(Settings(database=DatabaseSettings(url=url), replica=ReplicaSettings(urls=(url, url))))

    assert "s3cret" not in repr(shown)
    assert {f"{section}.{key}" for section, keys in shown.items() for key in keys} == {leaf.path for leaf in leaves()}


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [leaf.variable for leaf in leaves()]

    assert len(variables) == len(set(variables))
    assert "YOTEI_CONFIG" not in variables
