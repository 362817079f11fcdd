"""The embedded server: started, found again after a crash, stopped; each refusal is one line that says what to do."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from yotei.storage import embedded
from yotei.storage.embedded import EmbeddedServer, EmbeddedServerError, programs, running_url

SMALL = {"shared_buffers": "32MB"}

OWNER = """
import os, signal, sys
from pathlib import Path
from yotei.storage.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), options={"shared_buffers": "32MB"})
server.start()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short; and in a folder that is closed to the server's own user."""
    with tempfile.TemporaryDirectory(prefix="yotei-") as folder:
        yield Path(folder) / "data"


def runs(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def ask(url: str, sql: str) -> object:
    async def once() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(once())


def owner_process(data_dir: Path) -> tuple["subprocess.Popen[str]", int]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def killed_owner(data_dir: Path) -> int:
    """The process id of a server whose owner was killed."""
    process, pid = owner_process(data_dir)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    return pid


def test_it_starts_keeps_its_data_and_leaves_no_process(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL) as server:
        first = server.pid
        ask(server.url, "create table kept as select 1 as x")
        assert ask(server.url, "show timezone") == "UTC"
        assert ask(server.url, "show listen_addresses") == ""
        assert ask(server.url, "select count(*) from pg_stat_statements") is not None
    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select x from kept") == 1
        second = server.pid

    assert first is not None and second is not None
    assert not runs(first)
    assert not runs(second)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_the_data_folder_lets_nobody_else_in(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert server.cluster.stat().st_mode & 0o777 == 0o700
        assert server.cluster.stat().st_uid != 0


def test_only_a_folder_of_our_own_making_gets_its_mode_from_us(data_dir: Path) -> None:
    inner = data_dir / "inner"
    data_dir.mkdir(mode=0o700)

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1
    with EmbeddedServer(inner, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1
        log_mode = server.log_file.stat().st_mode & 0o777

    assert [folder.stat().st_mode & 0o777 for folder in (data_dir.parent, data_dir)] == [0o700, 0o700]
    assert inner.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    assert log_mode == 0o600


def test_a_log_that_all_could_read_is_closed(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "postgres.log").touch(mode=0o644)

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert server.log_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_left_over_is_found_again_when_the_folder_above_was_opened_or_closed(data_dir: Path, mode: int) -> None:
    data_dir.parent.chmod(mode)
    left = killed_owner(data_dir)
    found = running_url(data_dir)

    data_dir.parent.chmod(0o700)
    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1

    assert found is not None
    assert not runs(left)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server of another user")
def test_programs_in_a_closed_folder_are_copied_once_and_run(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="yotei-") as folder:
        closed, copies = Path(folder, "closed"), Path(folder, "copies")
        Path(folder).chmod(0o711)
        copies.mkdir()
        copies.chmod(0o711)
        closed.mkdir(mode=0o700)
        package = programs().parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, closed / part.name, symlinks=True)
        monkeypatch.setattr(embedded, "COPIES", copies)

        for _ in range(2):
            with EmbeddedServer(
                data_dir, options=SMALL, programs_dir=closed / package.name / "pginstall" / "bin"
            ) as server:
                assert ask(server.url, "select count(*) from pg_stat_statements") is not None

        assert closed.stat().st_mode & 0o777 == 0o700
        assert len(list(copies.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server of another user")
def test_without_another_way_the_closed_folder_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WORKING_FOLDER", data_dir / "no-proc")

    with pytest.raises(EmbeddedServerError, match=rf"{data_dir.parent}: user .* cannot pass it; `chmod o\+x"):
        EmbeddedServer(data_dir, options=SMALL).start()

    assert data_dir.parent.stat().st_mode & 0o777 == 0o700


def test_a_server_left_by_a_killed_owner_is_taken_over(data_dir: Path) -> None:
    left = killed_owner(data_dir)
    assert runs(left)

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert server.pid == left
        assert ask(server.url, "select 1") == 1

    assert not runs(left)


def test_a_left_over_with_other_settings_is_replaced(data_dir: Path) -> None:
    left = killed_owner(data_dir)

    with EmbeddedServer(data_dir, options={"shared_buffers": "48MB"}) as server:
        assert server.pid != left
        assert ask(server.url, "show shared_buffers") == "48MB"

    assert not runs(left)


def test_it_recovers_when_owner_and_server_were_killed(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL) as server:
        ask(server.url, "create table kept as select 2 as x")
    left = killed_owner(data_dir)
    os.kill(left, signal.SIGKILL)

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select x from kept") == 2


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL):
        pass
    stranger = _stranger(data_dir)
    lines = [str(stranger.pid), str(data_dir / "postgres"), "1", "5432", str(data_dir / "postgres"), "", "1 1", "ready"]
    (data_dir / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_killed_initdb_leaves_nothing_in_the_way(data_dir: Path) -> None:
    (data_dir / "postgres.new" / "base").mkdir(parents=True)

    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1

    assert not (data_dir / "postgres.new").exists()


def test_a_second_yotei_on_the_folder_is_told_who_is_there(data_dir: Path) -> None:
    process, pid = owner_process(data_dir)

    with pytest.raises(EmbeddedServerError, match=rf"another yotei \(process {process.pid}\) runs on this data folder"):
        EmbeddedServer(data_dir, options=SMALL).start()

    assert runs(pid)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    with EmbeddedServer(data_dir, options=SMALL):
        pass
    assert not runs(pid)


def test_data_of_another_major_version_is_refused(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("14\n")

    with pytest.raises(EmbeddedServerError, match=r"was made by PostgreSQL 14, this is 18"):
        EmbeddedServer(data_dir, options=SMALL).start()


def test_a_folder_that_holds_something_else_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(data_dir / "postgres", 65534, 65534)

    with pytest.raises(EmbeddedServerError, match="is no PostgreSQL data folder"):
        EmbeddedServer(data_dir, options=SMALL).start()


def test_a_data_folder_that_is_a_file_is_refused(data_dir: Path) -> None:
    data_dir.write_text("")

    with pytest.raises(EmbeddedServerError, match="the data folder cannot be written"):
        EmbeddedServer(data_dir, options=SMALL).start()


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(data_dir: Path) -> None:
    deep = data_dir / ("d" * 60) / ("e" * 60)

    with EmbeddedServer(deep, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1
        socket_dir = Path(server.url.partition("host=")[2])
        assert socket_dir.stat().st_mode & 0o777 == 0o700
        assert not socket_dir.is_relative_to(deep)

    assert not socket_dir.exists()


def test_a_socket_folder_that_someone_else_made_is_refused_and_left_alone(data_dir: Path) -> None:
    deep = data_dir / ("d" * 60) / ("f" * 60)
    server = EmbeddedServer(deep, options=SMALL)
    trap = Path(server.url.partition("host=")[2])
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)

    with pytest.raises(EmbeddedServerError, match="folder is not ours alone"):
        server.start()

    assert trap.exists()
    trap.rmdir()


def test_a_server_that_does_not_start_says_why_in_one_line(data_dir: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"does not start: .*no_such_setting") as refused:
        EmbeddedServer(data_dir, options={**SMALL, "no_such_setting": "1"}).start()

    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_another_user_is_told_whose_data_it_is(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, options=SMALL):
        pass
    data_dir.parent.chmod(0o755)
    (data_dir / "yotei.lock").chmod(0o666)

    said = as_nobody(lambda: EmbeddedServer(data_dir, options=SMALL).start())

    assert "belongs to user yotei-postgres, this is nobody; run yotei as that user or as root" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_it_runs_without_root_and_root_goes_on_with_the_same_data(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(data_dir.parent, nobody.pw_uid, nobody.pw_gid)

    def start_and_stop() -> None:
        with EmbeddedServer(data_dir, options=SMALL) as server:
            assert server.cluster.stat().st_uid == nobody.pw_uid

    said = as_nobody(start_and_stop)

    assert said == ""
    with EmbeddedServer(data_dir, options=SMALL) as server:
        assert ask(server.url, "select 1") == 1


def as_nobody(work: Callable[[], None]) -> str:
    """What went wrong with `work` in a child that gave up being root; nothing when it is empty."""
    nobody = pwd.getpwnam("nobody")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            work()
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


def _stranger(data_dir: Path) -> "subprocess.Popen[bytes]":
    """Another program under the number of a server that is gone, of the same user."""
    if os.geteuid() != 0:
        return subprocess.Popen(["sleep", "60"])
    return subprocess.Popen(["sleep", "60"], user=(data_dir / "postgres").stat().st_uid)
