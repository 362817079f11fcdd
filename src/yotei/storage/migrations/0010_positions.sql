-- What a position in the log consists of, said once for all who read it.

-- A standby does not know which of the primary's transactions are open: of what it shows only the beginning is certain.
create function change_log_snapshot() returns pg_snapshot stable language sql
  return (select case when pg_is_in_recovery() then (pg_snapshot_xmin(s)::text || ':' || pg_snapshot_xmin(s)::text || ':')::pg_snapshot
                      else s end
          from pg_current_snapshot() s);

-- Which history it belongs to: server, timeline, database (a restore makes another one), and when the server last recovered from a
-- crash. A crash throws away the statistics, so their age tells of it; a clean stop keeps them. In PL/pgSQL, which plans it once a
-- session on every PostgreSQL, and keeps it as text: what it asks has other columns in other versions.
create function change_log_epoch() returns text stable language plpgsql as $$
begin
  return (select system_identifier from pg_control_system())::text
         || '.' || case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
                        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end
         || '.' || (select oid from pg_database where datname = current_database())
         || '.' || coalesce((select (extract(epoch from stats_reset) * 1000)::bigint from pg_stat_archiver), 0);
end $$;
