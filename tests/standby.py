"""A real hot standby for tests: a copy by `pg_basebackup` of a server that runs, which then follows it by streaming.

    with Standby(primary, folder / "standby") as standby:
        standby.pause()        # it goes on answering, and learns of nothing more
        standby.resume()
        standby.caught_up()    # all that is committed on the primary by now can be seen here
        standby.promote()      # it becomes a server of its own, of the next timeline

`primary` is an `EmbeddedServer`, the wheel's or of an older PostgreSQL. What streams is what is flushed: one that
commits with `synchronous_commit=off` is followed up to 0.6 s late, so it is better started with `FOLLOWED`. Calls
block; in a running event loop use `asyncio.to_thread`.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.conftest import FAST
from yotei.storage.embedded import DATABASE, ROLE, EmbeddedServer

FOLLOWED: Final = {**FAST, "synchronous_commit": "local"}
"""Options of a primary that nothing has to survive, and whose commits stream at once."""
FOLLOW_S_MAX: Final = 30.0
CONFLICT_DELAY: Final = "2s"
"""For how long what streams waits for somebody who reads. PostgreSQL's own 30 s are as long as a test waits."""
PAUSE_S: Final = 0.005
LOG_SHOWN_MAX: Final = 2_000
WHERE: Final = """select format('received %s, replayed %s, %s, receiver %s', pg_last_wal_receive_lsn(),
  pg_last_wal_replay_lsn(), pg_get_wal_replay_pause_state(), (select status from pg_stat_wal_receiver))"""


class Standby(EmbeddedServer):
    """One standby on a data folder of its own; started, stopped and addressed (`url`, `url_of`) as its primary is."""

    def __init__(self, primary: EmbeddedServer, data_dir: Path) -> None:
        super().__init__(
            data_dir,
            options={**primary._options, "max_standby_streaming_delay": CONFLICT_DELAY},
            programs_dir=primary._programs,
        )
        self._primary = primary

    def start(self) -> None:
        super().start()
        self.caught_up()

    def pause(self) -> None:
        """It shows what it shows now until `resume`."""
        self.ask("select pg_wal_replay_pause()")
        self.until("select pg_get_wal_replay_pause_state() = 'paused'")

    def resume(self) -> None:
        self.ask("select pg_wal_replay_resume()")

    def caught_up(self) -> None:
        """Wait until all that is committed on the primary by now can be seen here; nothing must be paused."""
        flushed = self._primary._psql("postgres", "select pg_current_wal_flush_lsn()")
        self.until(f"select pg_last_wal_replay_lsn() >= '{flushed}'")

    def follow(self, other: EmbeddedServer) -> None:
        """Another server of the same history from now on, a standby perhaps."""
        self._primary = other
        self.ask(f"alter system set primary_conninfo = '{_conninfo(other)}'")
        self.ask("select pg_reload_conf()")

    def promote(self) -> None:
        """It takes writes from now on, and follows nobody; connections stay."""
        self.ask("select pg_promote()")
        self.until("select not pg_is_in_recovery()")

    def kill(self) -> None:
        """As a crash does; `revive` starts it again. Every process of it is gone when this returns."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def freeze(self) -> None:
        """It takes connections and answers nothing, as a machine that swaps, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def ask(self, sql: str, database: str = "postgres") -> str:
        """One value, as text."""
        return self._psql(database, sql)

    def until(self, question: str, database: str = "postgres") -> None:
        """Wait until the answer is true; the question is asked of `database`."""
        deadline_s = time.monotonic() + FOLLOW_S_MAX
        while self.ask(question, database) != "t":
            if time.monotonic() >= deadline_s:
                log = self.log_file.read_text(errors="replace")[-LOG_SHOWN_MAX:]
                raise AssertionError(f"never true on the standby: {question}; it is at {self.ask(WHERE)}\n{log}")
            time.sleep(PAUSE_S)

    def _make_cluster(self) -> None:
        """What `initdb` does for a primary."""
        making = self.data_dir / "postgres.new"
        making.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(making, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "pg_basebackup",
            f"--pgdata={making}",
            f"--dbname={_conninfo(self._primary)}",
            "--checkpoint=fast",
            "--wal-method=stream",
            "--write-recovery-conf",
            "--no-sync",
        )
        for theirs in (".s.PGSQL.5432.lock", "postmaster.pid", "postmaster.opts"):
            (making / theirs).unlink(missing_ok=True)
        making.rename(self.cluster)

    def _make_database(self) -> None:
        """It came with the copy."""

    def _signal(self, number: signal.Signals) -> None:
        """To the server, then to the processes that it has."""
        assert self.pid is not None
        os.kill(self.pid, number)
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True, check=True
        )
        for pid in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


def _conninfo(server: EmbeddedServer) -> str:
    (socket_dir,) = parse_qs(urlsplit(server.url).query)["host"]
    return f"host={socket_dir} user={ROLE} dbname={DATABASE}"
