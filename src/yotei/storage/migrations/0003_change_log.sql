-- The change log: one row per changed thing, committed with the change itself. Sync, cache purges and
-- subscriptions read it; triggers write it, so that a change made in psql is not missed.
--
-- Readers order by transaction, never by seq: a sequence number is taken before its row is visible.
create table change_log (
  seq        bigint      generated always as identity,
  xid        xid8        not null default pg_current_xact_id(),
  ts         timestamptz not null default clock_timestamp(),
  actor_id   uuid        default nullif(current_setting('yotei.actor_id', true), '')::uuid,
  scope_kind text        not null constraint change_log_scope_kind check (scope_kind in ('calendar', 'user', 'resource', 'system')),
  scope_id   uuid        not null,
  entity     text        not null constraint change_log_entity
             check (entity in ('event', 'attendee', 'reservation', 'calendar', 'member', 'user', 'resource', 'token', 'event_user_state', 'bulk')),
  entity_id  uuid        not null,
  -- Whom it also concerns: the attendee, the member, the owner of a token.
  user_id    uuid,
  op         text        not null constraint change_log_op check (op in ('insert', 'update', 'delete', 'restore', 'remove', 'load')),
  old_span   tstzrange,
  new_span   tstzrange
) partition by range (ts);
create index change_log_xid on change_log (xid);
create index change_log_scope on change_log (scope_id, xid);

-- Catches rows only when the daily partitions were not made in time; then nothing is lost, only slower to drop.
create table change_log_default partition of change_log default;

-- Dropping a day forgets it. This remembers, for each scope, the last transaction that was forgotten: a position
-- older than that can no longer be continued, any other can.
create table change_log_forgotten (
  scope_kind text not null,
  scope_id   uuid not null,
  xid        xid8 not null,
  constraint change_log_forgotten_pkey primary key (scope_kind, scope_id)
);

create function change_log_partition_name(day date) returns text stable language sql
  return 'change_log_' || to_char(day, 'YYYYMMDD');

-- Attached rather than created in place: ATTACH lets writers on, CREATE ... PARTITION OF does not. Rows of that day
-- that fell into the default partition move along, else ATTACH would refuse for ever; they keep seq and xid, so
-- that no reader sees one twice.
create function change_log_make_partitions(first_day date, days integer) returns integer language plpgsql as $$
declare
  d date;
  name text;
  made integer := 0;
begin
  for d in select first_day + n from generate_series(0, days - 1) n loop
    name := change_log_partition_name(d);
    if to_regclass(name) is null then
      execute format('create table %I (like change_log including defaults including constraints)', name);
      execute format('alter table %I add constraint %I check (ts >= %L::timestamptz and ts < %L::timestamptz)',
                     name, name || '_day', d::text || ' 00:00+00', (d + 1)::text || ' 00:00+00');
      if exists (select from change_log_default where ts >= (d::text || ' 00:00+00')::timestamptz
                                                  and ts < ((d + 1)::text || ' 00:00+00')::timestamptz) then
        lock table change_log_default in access exclusive mode;
        execute format('with moved as (delete from change_log_default where ts >= %L and ts < %L returning *)
                        insert into %I select * from moved',
                       d::text || ' 00:00+00', (d + 1)::text || ' 00:00+00', name);
      end if;
      execute format('alter table change_log attach partition %I for values from (%L) to (%L)',
                     name, d::text || ' 00:00+00', (d + 1)::text || ' 00:00+00');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

-- What is forgotten is written down before it goes, with writers to those days shut out: what one of them committed
-- after the summary would be forgotten without a trace. The log itself is locked at the end and only to unlink.
create function change_log_drop_partitions(before_day date) returns integer language plpgsql as $$
declare
  names text[];
  name text;
begin
  select coalesce(array_agg(c.relname::text order by c.relname), '{}') into names
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'change_log'::regclass and c.relname ~ '^change_log_\d{8}$'
    and to_date(right(c.relname, 8), 'YYYYMMDD') < before_day;
  foreach name in array names loop
    execute format('lock table %I in share mode', name);
    execute format('insert into change_log_forgotten (scope_kind, scope_id, xid)
                    select scope_kind, scope_id, max(xid::text::numeric)::text::xid8 from %I group by scope_kind, scope_id
                    on conflict (scope_kind, scope_id) do update set xid = excluded.xid
                    where change_log_forgotten.xid < excluded.xid', name);
  end loop;
  with gone as (
    delete from change_log_default where ts < (before_day::text || ' 00:00+00')::timestamptz
    returning scope_kind, scope_id, xid
  )
  insert into change_log_forgotten (scope_kind, scope_id, xid)
  select scope_kind, scope_id, max(xid::text::numeric)::text::xid8 from gone group by scope_kind, scope_id
  on conflict (scope_kind, scope_id) do update set xid = excluded.xid where change_log_forgotten.xid < excluded.xid;
  foreach name in array names loop
    lock table only change_log in access exclusive mode;
    execute format('drop table %I', name);
  end loop;
  return cardinality(names);
end $$;

select change_log_make_partitions((now() at time zone 'UTC')::date, 8);
