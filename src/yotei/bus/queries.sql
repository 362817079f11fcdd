-- Statements of the bus. They run on a connection of its own, never within a transaction that writes: a NOTIFY there
-- makes the commits of all writers queue for one lock.

-- name: begin_session
-- Who really answers, and for the rest of the session: a hint has nothing that must survive a crash, so its commit waits
-- for no disk and no standby.
select pg_backend_pid() as pid, set_config('synchronous_commit', 'off', false);

-- name: notify
-- A batch of messages in one statement; identical ones arrive once.
select pg_notify($1, payload) from unnest($2::text[]) as payload;
