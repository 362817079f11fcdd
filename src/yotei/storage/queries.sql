-- name: position_now
-- The position from which a reader sees only what is committed later, and which history it belongs to.
select change_log_snapshot()::text as snapshot, (extract(epoch from now()) * 1000)::bigint as taken_at_ms, change_log_epoch() as epoch

-- name: look_at_standby
-- What a hot standby shows now, and which history it replays, as `position_now` says it but for crashes: of its timeline the latest
-- that can be known from here. The control file may lag behind by a checkpoint; what it receives now is told to who may read all statistics.
select pg_is_in_recovery() as is_standby, pg_snapshot_xmin(s)::text as xmin,
       (select system_identifier from pg_control_system())::text
       || '.' || greatest((select timeline_id from pg_control_checkpoint()),
                          (select min_recovery_end_timeline from pg_control_recovery()),
                          (select received_tli from pg_stat_wal_receiver))
       || '.' || (select oid from pg_database where datname = current_database()) as history
from pg_current_snapshot() s

-- name: snapshot_now
-- What there is to be seen now.
select pg_current_snapshot()::text as snapshot

-- name: position_at
-- The oldest transaction that wrote to the change log since a moment: a position there misses nothing of that time.
select l.xid::text as xid from change_log l where l.ts >= $1 order by l.xid limit 1

-- name: read_since
-- Changes that were not visible in snapshot $1 and are in $2 (by default: the one of this statement), in the order of
-- their transactions, after row ($3, $4) of an earlier page; at most $6 of them, none from before $7.
-- $8: when $1 was taken. Only if that is an hour ago or more is it looked whether some were dropped by age after it, which reads all
-- that was ever forgotten: a day is kept for longer than a transaction may be open by as much as that (`change_log.keep_days`).
-- $9: no more are looked at than that (null: all), for a reader who wants to know no more of so many than that they are.
-- The end of a span that no calendar of ours has a year for is told as none, here and below: whoever reads the log must not fail by it.
with til as materialized (
  select coalesce($2::text::pg_snapshot, change_log_snapshot()) as snapshot
)
select t.snapshot::text, (extract(epoch from now()) * 1000)::bigint as taken_at_ms,
       now() - $8::timestamptz >= interval '1 hour'
       and exists (select from change_log_forgotten f where f.xid >= pg_snapshot_xmin($1::text::pg_snapshot)) as is_forgotten,
       (select change_log_epoch()) as epoch,
       pg_is_in_recovery() as is_standby,
       c.seq, c.xid::text as xid, c.ts, c.actor_id, c.scope_kind, c.scope_id, c.entity, c.entity_id, c.user_id, c.op,
       case when lower(c.old_span) between '0001-01-02' and '9999-12-30' then lower(c.old_span) end as old_start,
       case when upper(c.old_span) between '0001-01-02' and '9999-12-30' then upper(c.old_span) end as old_end,
       case when lower(c.new_span) between '0001-01-02' and '9999-12-30' then lower(c.new_span) end as new_start,
       case when upper(c.new_span) between '0001-01-02' and '9999-12-30' then upper(c.new_span) end as new_end,
       c.old_span is not null as has_old_span, c.new_span is not null as has_new_span
from til t left join lateral (
  -- Two branches, so that each is led by the index on xid however long a writer has been open, past what such a one has logged so far:
  -- to find that it cannot be seen takes as long as to read it. Each is cut before it is sorted: of one transaction all rows are.
  select * from (
    (select l.* from (
       select l.* from change_log l
       where l.xid >= greatest(pg_snapshot_xmax($1::text::pg_snapshot), $3::text::xid8)
         and greatest(pg_snapshot_xmax($1::text::pg_snapshot), $3::text::xid8) < pg_snapshot_xmax(t.snapshot)
         and (l.xid > $3::text::xid8 or l.seq > $4) and pg_visible_in_snapshot(l.xid, t.snapshot) and l.ts >= $7
       order by l.xid limit $9) l
     order by l.xid, l.seq limit $6)
    union all
    (select l.* from (
       select l.* from change_log l
       where l.xid = any (array(select r.xid from unnest($5::text[]::xid8[]) r(xid) where pg_visible_in_snapshot(r.xid, t.snapshot)))
         and (l.xid > $3::text::xid8 or (l.xid = $3::text::xid8 and l.seq > $4)) and l.ts >= $7
       order by l.xid limit $9) l
     order by l.xid, l.seq limit $6)
  ) both_kinds
  order by xid, seq
  limit $6
) c on true
order by c.xid, c.seq

-- name: select_own_changes
-- What this transaction has changed so far, $1 rows at most, and under which id; one row without a change where there is none. It
-- wrote them since it began: older partitions are left alone.
select o.xid::text as xid, c.seq, c.ts, c.actor_id, c.scope_kind, c.scope_id, c.entity, c.entity_id, c.user_id, c.op,
       case when lower(c.old_span) between '0001-01-02' and '9999-12-30' then lower(c.old_span) end as old_start,
       case when upper(c.old_span) between '0001-01-02' and '9999-12-30' then upper(c.old_span) end as old_end,
       case when lower(c.new_span) between '0001-01-02' and '9999-12-30' then lower(c.new_span) end as new_start,
       case when upper(c.new_span) between '0001-01-02' and '9999-12-30' then upper(c.new_span) end as new_end,
       c.old_span is not null as has_old_span, c.new_span is not null as has_new_span
from (select pg_current_xact_id_if_assigned() as xid) o
left join lateral (select l.* from change_log l where l.xid = o.xid and l.ts >= now() order by l.seq limit $1::integer) c on true
order by c.seq

-- name: read_scope_since
-- The same of one scope, $7, and none from before $8. Forgotten is a position when changes of the scope were dropped after it,
-- or when it lies before a bulk load, which is logged as one row of the system's scope, unless what the scope names was made
-- later than that. `asked` hides the values from the planner, which with them would plan every call anew: there are as many
-- partitions as days.
with asked as materialized (
  select $1::text::pg_snapshot as since, $3::text::xid8 as last_xid, $4::bigint as last_seq, $5::text[]::xid8[] as running,
         $6::bigint as rows_max, $7::uuid as scope_id, $8::timestamptz as oldest,
         coalesce($2::text::pg_snapshot, change_log_snapshot()) as snapshot
),
unlogged as (
  select f.xid
  from asked q
  join change_log_forgotten f on f.scope_kind = 'system' and f.scope_id = '00000000-0000-0000-0000-000000000000'
  where not pg_visible_in_snapshot(f.xid, q.since)
  union all
  select l.xid
  from asked q
  join change_log l on l.scope_id = '00000000-0000-0000-0000-000000000000' and l.xid >= pg_snapshot_xmin(q.since) and l.ts >= q.oldest
  where l.entity = 'bulk' and not pg_visible_in_snapshot(l.xid, q.since)
),
reach as materialized (
  select exists (select from change_log_forgotten f where f.scope_id = q.scope_id and f.xid >= pg_snapshot_xmin(q.since))
         or exists (select from unlogged b
                    where not exists (select from change_log c
                                      where c.entity_id = q.scope_id and c.scope_id = q.scope_id and c.op = 'insert' and c.xid > b.xid))
           as is_forgotten
  from asked q
)
select q.snapshot::text, (extract(epoch from now()) * 1000)::bigint as taken_at_ms, (select is_forgotten from reach) as is_forgotten,
       (select change_log_epoch()) as epoch,
       c.seq, c.xid::text as xid, c.ts, c.actor_id, c.scope_kind, c.scope_id, c.entity, c.entity_id, c.user_id, c.op,
       case when lower(c.old_span) between '0001-01-02' and '9999-12-30' then lower(c.old_span) end as old_start,
       case when upper(c.old_span) between '0001-01-02' and '9999-12-30' then upper(c.old_span) end as old_end,
       case when lower(c.new_span) between '0001-01-02' and '9999-12-30' then lower(c.new_span) end as new_start,
       case when upper(c.new_span) between '0001-01-02' and '9999-12-30' then upper(c.new_span) end as new_end,
       c.old_span is not null as has_old_span, c.new_span is not null as has_new_span
from asked q left join lateral (
  select * from (
    (select l.* from change_log l
     where l.scope_id = q.scope_id and l.xid >= greatest(pg_snapshot_xmax(q.since), q.last_xid)
       and greatest(pg_snapshot_xmax(q.since), q.last_xid) < pg_snapshot_xmax(q.snapshot) and (l.xid > q.last_xid or l.seq > q.last_seq) and pg_visible_in_snapshot(l.xid, q.snapshot) and l.ts >= q.oldest
     order by l.xid, l.seq limit q.rows_max)
    union all
    -- One by one: PostgreSQL 15 does not lead an index by a list in its second column and keep its order.
    (select l.*
     from unnest(q.running) r(xid)
     cross join lateral (
       select l.* from change_log l
       where l.scope_id = q.scope_id and l.xid = r.xid
         and (l.xid > q.last_xid or (l.xid = q.last_xid and l.seq > q.last_seq)) and l.ts >= q.oldest
       order by l.seq limit q.rows_max) l
     where pg_visible_in_snapshot(r.xid, q.snapshot)
     order by l.xid, l.seq limit q.rows_max)
  ) both_kinds
  order by xid, seq
  limit q.rows_max
) c on true
order by c.xid, c.seq

-- name: set_timeouts
-- For the rest of this transaction: give up on locks rather than make writers queue, take time for the work.
select set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)

-- name: try_maintenance_turn
-- Whether this node may maintain the partitions now; held until the end of the transaction.
select pg_try_advisory_xact_lock($1) as ours

-- name: make_partitions
-- Daily partitions of the change log, from today on.
select change_log_make_partitions((now() at time zone 'UTC')::date, $1) as made

-- name: drop_partitions
-- Drop the days before today minus $1, remembering what is forgotten.
select change_log_drop_partitions((now() at time zone 'UTC')::date - $1::integer) as dropped

-- name: find_serving
-- The last migration that was applied, and whether this is a hot standby, which takes no writes.
select coalesce(max(version), 0) as version, pg_is_in_recovery() as is_standby from schema_migrations

-- name: claim_key
-- Makes an idempotency key ($2 of person $1) this request's own ($3, its hash): a row comes back when it was free, or used
-- longer than a day ago. Somebody who has claimed it and is not done yet is waited for.
insert into idempotency_keys as k (user_id, key, request_hash)
values ($1::uuid, $2::text, $3::bytea)
on conflict on constraint idempotency_keys_pkey do update
set request_hash = excluded.request_hash, status = null, headers = null, body = null, created_at = now()
where k.created_at < now() - interval '24 hours'
returning k.key

-- name: get_kept_answer
-- What was answered to the request that claimed the key.
select request_hash, status, headers::text as headers, body from idempotency_keys where user_id = $1::uuid and key = $2::text

-- name: keep_answer
-- The answer of the request that claimed the key; it commits with what the request wrote.
update idempotency_keys set status = $3::integer, headers = $4::text::jsonb, body = $5::bytea
where user_id = $1::uuid and key = $2::text

-- name: drop_kept_answers
-- Answers older than a day, $1 at most.
delete from idempotency_keys
where (user_id, key) in (select user_id, key from idempotency_keys
                         where created_at < now() - interval '24 hours' order by created_at limit $1::integer for update skip locked)
