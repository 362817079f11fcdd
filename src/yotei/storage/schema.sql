CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE TYPE public.event_log_reach AS (
	id uuid,
	is_old boolean,
	calendar_id uuid,
	span tstzrange,
	calendar_ids uuid[]
);

CREATE TYPE public.event_log_version AS (
	id uuid,
	is_old boolean,
	calendar_id uuid,
	series_id uuid,
	recurrence_id timestamp with time zone,
	this_and_future boolean,
	start_time timestamp with time zone,
	span_end timestamp with time zone
);

CREATE FUNCTION public.change_log_drop_partitions(before_day date) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
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
end $_$;

CREATE FUNCTION public.change_log_epoch() RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
begin
  return (select system_identifier from pg_control_system())::text
         || '.' || case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
                        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end
         || '.' || (select oid from pg_database where datname = current_database())
         || '.' || coalesce((select (extract(epoch from stats_reset) * 1000)::bigint from pg_stat_archiver), 0);
end $$;

CREATE FUNCTION public.change_log_make_partitions(first_day date, days integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.change_log_partition_name(day date) RETURNS text
    LANGUAGE sql STABLE
    RETURN ('change_log_'::text || to_char((day)::timestamp with time zone, 'YYYYMMDD'::text));

CREATE FUNCTION public.change_log_snapshot() RETURNS pg_snapshot
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN pg_is_in_recovery() THEN (((((pg_snapshot_xmin(s.s))::text || ':'::text) || (pg_snapshot_xmin(s.s))::text) || ':'::text))::pg_snapshot ELSE s.s END AS s FROM pg_current_snapshot() s(s));

CREATE FUNCTION public.event_log_reaches(versions public.event_log_version[]) RETURNS public.event_log_reach[]
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
  if versions is null then
    return '{}';
  end if;
  return array(
    with series as materialized (
      select m.id, m.end_time - m.start_time as lasts, o.first, o.last, least(m.start_time, o.first) as whole_first,
             greatest(m.span_end, o.last) as whole_last, array(select m.calendar_id union select unnest(o.calendar_ids)) as calendar_ids,
             o.moves
      from events m
      cross join lateral (
        select min(e.start_time) as first, max(e.span_end) as last, array_agg(distinct e.calendar_id) as calendar_ids,
               bool_or(e.this_and_future) as moves
        from events e
        where e.series_id = m.id and e.deleted_at is null
      ) o
      where m.id = any(array(select v.id from unnest(versions) v union select v.series_id from unnest(versions) v))
    )
    select row(v.id, v.is_old, v.calendar_id,
               tstzrange(least(v.start_time, v.recurrence_id, own.first, w.whole_first),
                         greatest(v.span_end, v.recurrence_id, event_log_until(v.recurrence_id, s.lasts), own.last, w.whole_last), '[]'),
               own.calendar_ids || w.calendar_ids)::event_log_reach
    from unnest(versions) v
    left join series own on own.id = v.id
    left join series s on s.id = v.series_id
    left join series w on w.id = v.series_id and (v.this_and_future or w.moves or w.calendar_ids <> array[v.calendar_id]));
end $$;

CREATE FUNCTION public.event_log_until(start_time timestamp with time zone, lasts interval) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    RETURN (((start_time AT TIME ZONE 'UTC'::text) + lasts) AT TIME ZONE 'UTC'::text);

CREATE FUNCTION public.event_log_versions(ids uuid[]) RETURNS public.event_log_version[]
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
  return (
    select array_agg(row(e.id, false, e.calendar_id, e.series_id, e.recurrence_id, e.this_and_future, e.start_time, e.span_end)::event_log_version)
    from events e
    where e.id = any(ids) and (e.series_id is not null or exists (select from events o where o.series_id = e.id and o.deleted_at is null)));
end $$;

CREATE FUNCTION public.log_attendees() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    -- When an event is deleted for good its attendees go after it: then the row is logged for the person alone.
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select case when e.id is null then 'user' else 'calendar' end, coalesce(e.calendar_id, o.user_id), 'attendee', o.event_id, o.user_id, 'remove',
           case when e.updated_at <> now() then tstzrange(e.start_time, e.span_end, '[]') end
    from old_rows o left join events e on e.id = o.event_id
    where coalesce(e.calendar_id, o.user_id) is not null;
  elsif tg_op = 'UPDATE' then
    -- Not written by anybody, but by an event that has moved, and tells that itself. Sets are compared, as rows would be one by
    -- one, each with every other.
    if pg_trigger_depth() > 1 then
      if not exists (select event_id, email, user_id, name, response_status, is_optional, comment, created_at, responded_at from new_rows
                     except select event_id, email, user_id, name, response_status, is_optional, comment, created_at, responded_at from old_rows) then
        return null;
      end if;
    end if;
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', e.calendar_id, 'attendee', o.event_id, o.user_id, 'remove',
           case when e.updated_at <> now() then tstzrange(e.start_time, e.span_end, '[]') end
    from old_rows o
    join events e on e.id = o.event_id
    left join new_rows n on n.event_id = o.event_id and n.email = o.email
    where n.event_id is null or n.user_id is distinct from o.user_id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span, fields)
    select 'calendar', e.calendar_id, 'attendee', n.event_id, n.user_id,
           case when o.event_id is null or n.user_id is distinct from o.user_id then 'insert' else 'update' end,
           tstzrange(e.start_time, e.span_end, '[]'),
           array_remove(array[
             case when n.response_status is distinct from o.response_status then 'response_status' end,
             case when n.comment is distinct from o.comment then 'comment' end,
             case when n.is_optional is distinct from o.is_optional then 'is_optional' end,
             case when n.name is distinct from o.name then 'name' end], null)
    from new_rows n
    join events e on e.id = n.event_id
    left join old_rows o on o.event_id = n.event_id and o.email = n.email;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span)
    select 'calendar', e.calendar_id, 'attendee', n.event_id, n.user_id, 'insert', tstzrange(e.start_time, e.span_end, '[]')
    from new_rows n join events e on e.id = n.event_id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_calendar_members() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op <> 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', o.calendar_id, 'member', o.user_id, o.user_id, 'remove'
    from old_rows o
    where tg_op = 'DELETE';
  end if;
  if tg_op = 'UPDATE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', o.calendar_id, 'member', o.user_id, o.user_id, 'remove'
    from old_rows o left join new_rows n on n.calendar_id = o.calendar_id and n.user_id = o.user_id
    where n.user_id is null;
  end if;
  if tg_op <> 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', calendar_id, 'member', user_id, user_id, lower(tg_op) from new_rows;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_calendars() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', id, 'calendar', id, personal_for, 'delete' from old_rows;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', id, 'calendar', id, personal_for, 'insert' from new_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', coalesce(n.id, o.id), 'calendar', coalesce(n.id, o.id), coalesce(n.personal_for, o.personal_for),
           case when n.id is null or (n.deleted_at is not null and o.deleted_at is null) then 'delete'
                when o.id is null then 'insert'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end
    from new_rows n full join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_event_resources() RETURNS trigger
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  ids uuid[];
begin
  if tg_op = 'DELETE' then
    ids := array(select distinct event_id from old_rows);
  elsif tg_op = 'INSERT' then
    ids := array(select distinct event_id from new_rows);
  else
    ids := array(select event_id from new_rows union select event_id from old_rows);
  end if;
  insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
  select 'calendar', e.calendar_id, 'booking', e.id, case tg_op when 'DELETE' then 'remove' else lower(tg_op) end,
         case when e.rrule is not null or e.rdates <> '{}' then coalesce(r.span, tstzrange(e.start_time, e.span_end, '[]')) end
  from events e
  left join unnest(event_log_reaches(event_log_versions(ids))) r on r.id = e.id
  where e.id = any(ids);
  return null;
end $$;

CREATE FUNCTION public.log_event_user_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', user_id, 'event_user_state', event_id, user_id, 'delete' from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', user_id, 'event_user_state', event_id, user_id, lower(tg_op) from new_rows;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_events() RETURNS trigger
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  reaches event_log_reach[];
  is_moved boolean := false;
  moved_ids uuid[];
  moved_starts timestamptz[];
  moved_ends timestamptz[];
begin
  if tg_op = 'INSERT' then
    reaches := event_log_reaches((
      select array_agg(row(n.id, false, n.calendar_id, n.series_id, n.recurrence_id, n.this_and_future, n.start_time, n.span_end)::event_log_version)
      from new_rows n where n.series_id is not null));
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span)
    select 'calendar', n.calendar_id, 'event', n.id, n.organizer_id, 'insert', coalesce(r.span, tstzrange(n.start_time, n.span_end, '[]'))
    from new_rows n left join unnest(reaches) r on r.id = n.id;
  elsif tg_op = 'DELETE' then
    -- With a series go its exceptions, and each is logged by itself.
    reaches := event_log_reaches((
      select array_agg(row(o.id, true, o.calendar_id, o.series_id, o.recurrence_id, o.this_and_future, o.start_time, o.span_end)::event_log_version)
      from old_rows o where o.series_id is not null));
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', o.calendar_id, 'event', o.id, o.organizer_id, 'delete', coalesce(r.span, tstzrange(o.start_time, o.span_end, '[]'))
    from old_rows o left join unnest(reaches) r on r.id = o.id;
  else
    select coalesce(bool_or(n.id is null or o.id is null or n.calendar_id <> o.calendar_id or n.organizer_id <> o.organizer_id
                            or n.start_time <> o.start_time or n.span_end <> o.span_end
                            or n.deleted_at is distinct from o.deleted_at), false)
    into is_moved
    from new_rows n full join old_rows o on o.id = n.id;
    reaches := event_log_reaches((
      select array_agg(row(v.id, v.is_old, v.calendar_id, v.series_id, v.recurrence_id, v.this_and_future, v.start_time, v.span_end)::event_log_version)
      from (select true as is_old, o.id, o.calendar_id, o.series_id, o.recurrence_id, o.this_and_future, o.start_time, o.span_end from old_rows o
            union all
            select false, n.id, n.calendar_id, n.series_id, n.recurrence_id, n.this_and_future, n.start_time, n.span_end from new_rows n) v
      where v.series_id is not null or exists (select from events e where e.series_id = v.id and e.deleted_at is null)));
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, new_span, fields)
    select 'calendar', n.calendar_id, 'event', n.id, n.organizer_id,
           case when o.id is null or n.calendar_id <> o.calendar_id then 'insert'
                when n.deleted_at is not null and o.deleted_at is null then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end,
           case when n.calendar_id = o.calendar_id then coalesce(was.span, tstzrange(o.start_time, o.span_end, '[]')) end,
           coalesce(r.span, tstzrange(n.start_time, n.span_end, '[]')),
           array_remove(array[
             case when n.calendar_id <> o.calendar_id then 'calendar_id' end,
             case when n.organizer_id <> o.organizer_id then 'organizer_id' end,
             case when n.title <> o.title then 'title' end,
             case when n.description is distinct from o.description then 'description' end,
             case when n.location is distinct from o.location then 'location' end,
             case when n.url is distinct from o.url then 'url' end,
             case when n.start_time <> o.start_time then 'start_time' end,
             case when n.end_time <> o.end_time then 'end_time' end,
             case when n.tzid is distinct from o.tzid then 'tzid' end,
             case when n.all_day <> o.all_day then 'all_day' end,
             case when n.floating <> o.floating then 'floating' end,
             case when n.rrule is distinct from o.rrule then 'rrule' end,
             case when n.rdates <> o.rdates then 'rdates' end,
             case when n.exdates <> o.exdates then 'exdates' end,
             case when n.recurrence_id is distinct from o.recurrence_id then 'recurrence_id' end,
             case when n.status <> o.status then 'status' end,
             case when n.transparency <> o.transparency then 'transparency' end,
             case when n.visibility <> o.visibility then 'visibility' end], null)
    from new_rows n
    left join old_rows o on o.id = n.id
    left join unnest(reaches) r on r.id = n.id and not r.is_old
    left join unnest(reaches) was on was.id = n.id and was.is_old;
  end if;
  if is_moved then
    -- Arrays, so that there is one plan for any number of events: a look-up for each.
    select array_agg(n.id), array_agg(n.start_time), array_agg(n.span_end) into moved_ids, moved_starts, moved_ends
    from new_rows n join old_rows o on o.id = n.id
    where n.start_time <> o.start_time or n.span_end <> o.span_end;
    if moved_ids is not null then
      update attendees a
      set start_time = m.start_time, span_end = m.span_end
      from unnest(moved_ids, moved_starts, moved_ends) m (id, start_time, span_end)
      where a.event_id = m.id and (a.start_time <> m.start_time or a.span_end <> m.span_end);
    end if;
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', o.calendar_id, 'event', o.id, o.organizer_id, 'remove', coalesce(was.span, tstzrange(o.start_time, o.span_end, '[]'))
    from old_rows o
    left join new_rows n on n.id = o.id
    left join unnest(reaches) was on was.id = o.id and was.is_old
    where n.id is null or n.calendar_id <> o.calendar_id;
    -- The agenda of everybody who is invited is another one. That of the organizer is told by the rows above, unless the spans
    -- there are the same: those of an exception may be; and unless there is a new one.
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, new_span)
    select 'user', p.user_id, 'event', n.id, p.user_id, p.op,
           case when o.deleted_at is null and p.op <> 'insert' then tstzrange(o.start_time, o.span_end, '[]') end,
           case when n.deleted_at is null and p.op <> 'remove' then tstzrange(n.start_time, n.span_end, '[]') end
    from old_rows o
    join new_rows n on n.id = o.id
    cross join lateral (
      select a.user_id, 'update' as op
      from attendees a
      where a.event_id = n.id and a.user_id is not null and not (a.user_id = n.organizer_id and n.organizer_id = o.organizer_id)
        and (n.calendar_id <> o.calendar_id or n.start_time <> o.start_time or n.span_end <> o.span_end
             or (n.deleted_at is null) <> (o.deleted_at is null))
      union all
      select n.organizer_id, 'update'
      where n.calendar_id = o.calendar_id and (select count(*) = 2 and count(distinct r.span) = 1 from unnest(reaches) r where r.id = n.id)
      union all
      select x.user_id, x.op
      from (values (o.organizer_id, 'remove'), (n.organizer_id, 'insert')) x (user_id, op)
      where n.organizer_id <> o.organizer_id
    ) p
    where o.deleted_at is null or n.deleted_at is null;
  end if;
  if reaches <> '{}' then
    -- Part of the series lies in another calendar; an update of no field tells nobody anything else.
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span, fields)
    select 'calendar', c.id, 'event', r.id, 'update', range_merge(range_agg(r.span)), '{}'
    from unnest(reaches) r
    cross join lateral unnest(r.calendar_ids) c (id)
    where c.id not in (select x.calendar_id from unnest(reaches) x where x.id = r.id)
    group by c.id, r.id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_reservations() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'resource', resource_id, 'reservation', event_id, 'insert', blocked from new_rows where status = 'CONFIRMED';
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'reservation', e.id, 'insert',
           case when not v.is_whole then tstzrange(v.first, event_log_until(v.last, e.end_time - e.start_time), '[]')
                else coalesce(r.span, tstzrange(e.start_time, e.span_end, '[]')) end
    from (select event_id, bool_or(recurrence_id is null) as is_whole, min(recurrence_id) as first, max(recurrence_id) as last
          from new_rows group by event_id) v
    join events e on e.id = v.event_id
    left join unnest(event_log_reaches(event_log_versions(array(select event_id from new_rows where recurrence_id is null)))) r on r.id = e.id;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', resource_id, 'reservation', event_id, 'delete', blocked from old_rows where status = 'CONFIRMED';
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'calendar', e.calendar_id, 'reservation', e.id, 'delete',
           case when not v.is_whole then tstzrange(v.first, event_log_until(v.last, e.end_time - e.start_time), '[]')
                else coalesce(r.span, tstzrange(e.start_time, e.span_end, '[]')) end
    from (select event_id, bool_or(recurrence_id is null) as is_whole, min(recurrence_id) as first, max(recurrence_id) as last
          from old_rows group by event_id) v
    join events e on e.id = v.event_id
    left join unnest(event_log_reaches(event_log_versions(array(select event_id from old_rows where recurrence_id is null)))) r on r.id = e.id;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', o.resource_id, 'reservation', o.event_id, 'remove', o.blocked
    from old_rows o left join new_rows n on n.id = o.id
    where n.id is null or n.resource_id <> o.resource_id or n.event_id <> o.event_id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span, new_span)
    select 'resource', n.resource_id, 'reservation', n.event_id, 'update', o.blocked, n.blocked
    from new_rows n left join old_rows o on o.id = n.id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'reservation', e.id, 'update',
           case when not v.is_whole then tstzrange(v.first, event_log_until(v.last, e.end_time - e.start_time), '[]')
                else coalesce(r.span, tstzrange(e.start_time, e.span_end, '[]')) end
    from (select b.event_id, bool_or(b.recurrence_id is null) as is_whole, min(b.recurrence_id) as first, max(b.recurrence_id) as last
          from (select event_id, recurrence_id from new_rows union all select event_id, recurrence_id from old_rows) b
          group by b.event_id) v
    join events e on e.id = v.event_id
    left join unnest(event_log_reaches(event_log_versions(array(select event_id from new_rows where recurrence_id is null
                                                                union select event_id from old_rows where recurrence_id is null)))) r on r.id = e.id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_resource_members() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'resource', resource_id, 'resource_member', user_id, user_id, 'remove' from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'resource', resource_id, 'resource_member', user_id, user_id, lower(tg_op) from new_rows;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_resources() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op) select 'resource', id, 'resource', id, 'delete' from old_rows;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op) select 'resource', id, 'resource', id, 'insert' from new_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op)
    select 'resource', coalesce(n.id, o.id), 'resource', coalesce(n.id, o.id),
           case when n.id is null or (n.deleted_at is not null and o.deleted_at is null) then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end
    from new_rows n full join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_tokens() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', o.user_id, 'token', named.id, o.user_id, 'delete'
    from old_rows o
    cross join lateral (values (o.id), (encode(substr(o.token_hash, 1, 16), 'hex')::uuid)) named (id);
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', n.user_id, 'token', named.id, n.user_id, lower(tg_op)
    from new_rows n
    cross join lateral (values (n.id), (encode(substr(n.token_hash, 1, 16), 'hex')::uuid)) named (id);
  end if;
  if tg_op = 'UPDATE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', o.user_id, 'token', named.id, o.user_id, 'delete'
    from old_rows o
    left join new_rows n on n.id = o.id
    cross join lateral (values (o.id), (encode(substr(o.token_hash, 1, 16), 'hex')::uuid)) named (id)
    where n.id is null or n.token_hash <> o.token_hash;
  end if;
  return null;
end $$;

CREATE FUNCTION public.log_truncate() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  insert into change_log (scope_kind, scope_id, entity, entity_id, op)
  select 'system', nobody, 'bulk', nobody, 'load' from (select '00000000-0000-0000-0000-000000000000'::uuid as nobody) s;
  return null;
end $$;

CREATE FUNCTION public.log_users() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', id, 'user', id, id, 'delete' from old_rows;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', id, 'user', id, id, 'insert' from new_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', coalesce(n.id, o.id), 'user', coalesce(n.id, o.id), coalesce(n.id, o.id), case when n.id is null then 'delete' else 'update' end
    from new_rows n full join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

CREATE FUNCTION public.search_fold(words text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN lower(NORMALIZE(words, NFKC));

CREATE FUNCTION public.search_items(calendar_id uuid, folded text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
declare
  characters text[] := string_to_array(folded, null);
begin
  return array(
    select a || b from unnest(characters, characters[2:]) pair(a, b) where ascii(a) > 32 and ascii(b) > 32
    union all
    select a from unnest(characters) a where ascii(a) >= 11904
    union all
    select calendar_id::text);
end $$;

CREATE FUNCTION public.search_text(title text, location text, description text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN public.search_fold(((((title || chr(10)) || COALESCE(location, ''::text)) || chr(10)) || COALESCE("left"(description, 1000), ''::text)));

CREATE FUNCTION public.take_span_of_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  select e.start_time, e.span_end into new.start_time, new.span_end from events e where e.id = new.event_id for share;
  if not found then
    raise foreign_key_violation using
      message = format('there is no event %s', new.event_id), table = 'attendees', constraint = 'attendees_event_fkey';
  end if;
  return new;
end $$;

CREATE FUNCTION public.touch_row() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end $$;

CREATE TABLE public.attendees (
    event_id uuid NOT NULL,
    email text NOT NULL,
    user_id uuid,
    name text,
    response_status text DEFAULT 'NEEDS_ACTION'::text NOT NULL,
    is_optional boolean DEFAULT false NOT NULL,
    comment text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    responded_at timestamp with time zone,
    start_time timestamp with time zone NOT NULL,
    span_end timestamp with time zone NOT NULL,
    CONSTRAINT attendees_comment_length CHECK ((char_length(comment) <= 2000)),
    CONSTRAINT attendees_email_shape CHECK (((email = lower(email)) AND ((char_length(email) >= 3) AND (char_length(email) <= 320)))),
    CONSTRAINT attendees_name_length CHECK ((char_length(name) <= 200)),
    CONSTRAINT attendees_response_status CHECK ((response_status = ANY (ARRAY['NEEDS_ACTION'::text, 'ACCEPTED'::text, 'DECLINED'::text, 'TENTATIVE'::text])))
)
WITH (fillfactor='90');

CREATE TABLE public.calendar_members (
    user_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT calendar_members_role CHECK ((role = ANY (ARRAY['OWNER'::text, 'WRITER'::text, 'READER'::text, 'FREE_BUSY'::text])))
);

CREATE TABLE public.calendars (
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    color text DEFAULT '#3b6fb6'::text NOT NULL,
    tzid text DEFAULT 'UTC'::text NOT NULL,
    personal_for uuid,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT calendars_color_shape CHECK ((color ~ '^#[0-9a-f]{6}$'::text)),
    CONSTRAINT calendars_description_length CHECK ((char_length(description) <= 10000)),
    CONSTRAINT calendars_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT calendars_tzid_length CHECK (((char_length(tzid) >= 1) AND (char_length(tzid) <= 64)))
);

CREATE TABLE public.change_log (
    seq bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    ts timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor_id uuid DEFAULT (NULLIF(current_setting('yotei.actor_id'::text, true), ''::text))::uuid,
    scope_kind text NOT NULL,
    scope_id uuid NOT NULL,
    entity text NOT NULL,
    entity_id uuid NOT NULL,
    user_id uuid,
    op text NOT NULL,
    old_span tstzrange,
    new_span tstzrange,
    fields text[],
    CONSTRAINT change_log_entity CHECK ((entity = ANY (ARRAY['event'::text, 'attendee'::text, 'booking'::text, 'reservation'::text, 'calendar'::text, 'member'::text, 'user'::text, 'resource'::text, 'resource_member'::text, 'token'::text, 'event_user_state'::text, 'bulk'::text]))),
    CONSTRAINT change_log_op CHECK ((op = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'restore'::text, 'remove'::text, 'load'::text]))),
    CONSTRAINT change_log_scope_kind CHECK ((scope_kind = ANY (ARRAY['calendar'::text, 'user'::text, 'resource'::text, 'system'::text])))
)
PARTITION BY RANGE (ts);

CREATE TABLE public.change_log_default (
    seq bigint CONSTRAINT change_log_seq_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT change_log_xid_not_null NOT NULL,
    ts timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT change_log_ts_not_null NOT NULL,
    actor_id uuid DEFAULT (NULLIF(current_setting('yotei.actor_id'::text, true), ''::text))::uuid,
    scope_kind text CONSTRAINT change_log_scope_kind_not_null NOT NULL,
    scope_id uuid CONSTRAINT change_log_scope_id_not_null NOT NULL,
    entity text CONSTRAINT change_log_entity_not_null NOT NULL,
    entity_id uuid CONSTRAINT change_log_entity_id_not_null NOT NULL,
    user_id uuid,
    op text CONSTRAINT change_log_op_not_null NOT NULL,
    old_span tstzrange,
    new_span tstzrange,
    fields text[],
    CONSTRAINT change_log_entity CHECK ((entity = ANY (ARRAY['event'::text, 'attendee'::text, 'booking'::text, 'reservation'::text, 'calendar'::text, 'member'::text, 'user'::text, 'resource'::text, 'resource_member'::text, 'token'::text, 'event_user_state'::text, 'bulk'::text]))),
    CONSTRAINT change_log_op CHECK ((op = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'restore'::text, 'remove'::text, 'load'::text]))),
    CONSTRAINT change_log_scope_kind CHECK ((scope_kind = ANY (ARRAY['calendar'::text, 'user'::text, 'resource'::text, 'system'::text])))
);

CREATE TABLE public.change_log_forgotten (
    scope_kind text NOT NULL,
    scope_id uuid NOT NULL,
    xid xid8 NOT NULL
);

ALTER TABLE public.change_log ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.change_log_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.event_resources (
    event_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    policy text DEFAULT 'ALL'::text NOT NULL,
    booked_until timestamp with time zone,
    CONSTRAINT event_resources_policy CHECK ((policy = ANY (ARRAY['ALL'::text, 'PARTIAL'::text])))
);

CREATE TABLE public.event_user_state (
    user_id uuid NOT NULL,
    event_id uuid NOT NULL,
    color text,
    reminder_minutes integer[] DEFAULT '{}'::integer[] NOT NULL,
    is_hidden boolean DEFAULT false NOT NULL,
    CONSTRAINT event_user_state_color_shape CHECK ((color ~ '^#[0-9a-f]{6}$'::text)),
    CONSTRAINT event_user_state_reminders_bound CHECK ((cardinality(reminder_minutes) <= 5))
);

CREATE TABLE public.events (
    id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    organizer_id uuid NOT NULL,
    uid text NOT NULL,
    sequence integer DEFAULT 0 NOT NULL,
    title text NOT NULL,
    description text,
    location text,
    url text,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    span_end timestamp with time zone NOT NULL,
    tzid text,
    all_day boolean DEFAULT false NOT NULL,
    floating boolean DEFAULT false NOT NULL,
    rrule text,
    rdates timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    exdates timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    series_id uuid,
    recurrence_id timestamp with time zone,
    this_and_future boolean DEFAULT false NOT NULL,
    status text DEFAULT 'CONFIRMED'::text NOT NULL,
    transparency text DEFAULT 'OPAQUE'::text NOT NULL,
    visibility text DEFAULT 'PUBLIC'::text NOT NULL,
    properties text[] DEFAULT '{}'::text[] NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT events_description_length CHECK ((char_length(description) <= 100000)),
    CONSTRAINT events_exdates_bound CHECK ((cardinality(exdates) <= 10000)),
    CONSTRAINT events_finite CHECK ((isfinite(start_time) AND isfinite(end_time))),
    CONSTRAINT events_floating_has_no_zone CHECK (((NOT (all_day OR floating)) OR (tzid IS NULL))),
    CONSTRAINT events_location_length CHECK ((char_length(location) <= 2000)),
    CONSTRAINT events_override_does_not_recur CHECK (((recurrence_id IS NULL) OR ((rrule IS NULL) AND (rdates = '{}'::timestamp with time zone[])))),
    CONSTRAINT events_override_names_instance CHECK (((series_id IS NULL) OR (recurrence_id IS NOT NULL))),
    CONSTRAINT events_properties_bound CHECK ((cardinality(properties) <= 2000)),
    CONSTRAINT events_rdates_bound CHECK ((cardinality(rdates) <= 10000)),
    CONSTRAINT events_rrule_length CHECK (((char_length(rrule) >= 1) AND (char_length(rrule) <= 2000))),
    CONSTRAINT events_sequence_range CHECK ((sequence >= 0)),
    CONSTRAINT events_span CHECK (((end_time >= start_time) AND (span_end >= end_time))),
    CONSTRAINT events_status CHECK ((status = ANY (ARRAY['CONFIRMED'::text, 'TENTATIVE'::text, 'CANCELLED'::text]))),
    CONSTRAINT events_title_length CHECK ((char_length(title) <= 500)),
    CONSTRAINT events_transparency CHECK ((transparency = ANY (ARRAY['OPAQUE'::text, 'TRANSPARENT'::text]))),
    CONSTRAINT events_tzid_length CHECK (((char_length(tzid) >= 1) AND (char_length(tzid) <= 64))),
    CONSTRAINT events_uid_length CHECK (((char_length(uid) >= 1) AND (char_length(uid) <= 1000))),
    CONSTRAINT events_url_length CHECK ((char_length(url) <= 4000)),
    CONSTRAINT events_visibility CHECK ((visibility = ANY (ARRAY['PUBLIC'::text, 'PRIVATE'::text, 'CONFIDENTIAL'::text])))
)
WITH (fillfactor='85');

CREATE TABLE public.idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_hash_length CHECK ((octet_length(request_hash) = 32)),
    CONSTRAINT idempotency_keys_key_length CHECK (((char_length(key) >= 1) AND (char_length(key) <= 255))),
    CONSTRAINT idempotency_keys_status_range CHECK (((status >= 200) AND (status <= 299)))
);

CREATE TABLE public.reservations (
    id uuid NOT NULL,
    resource_id uuid NOT NULL,
    unit integer DEFAULT 1 NOT NULL,
    event_id uuid NOT NULL,
    recurrence_id timestamp with time zone,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    blocked tstzrange NOT NULL,
    status text DEFAULT 'CONFIRMED'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT reservations_blocked_covers CHECK ((blocked @> tstzrange(start_time, end_time))),
    CONSTRAINT reservations_span CHECK (((start_time < end_time) AND isfinite(end_time))),
    CONSTRAINT reservations_status CHECK ((status = ANY (ARRAY['CONFIRMED'::text, 'CANCELLED'::text, 'MISSED'::text]))),
    CONSTRAINT reservations_unit_range CHECK (((unit >= 1) AND (unit <= 1000)))
);

CREATE TABLE public.resource_members (
    resource_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT resource_members_role CHECK ((role = ANY (ARRAY['MANAGER'::text, 'BOOKER'::text])))
);

CREATE TABLE public.resources (
    id uuid NOT NULL,
    name text NOT NULL,
    kind text DEFAULT 'ROOM'::text NOT NULL,
    description text,
    location text,
    tzid text DEFAULT 'UTC'::text NOT NULL,
    seats integer,
    features text[] DEFAULT '{}'::text[] NOT NULL,
    concurrent_bookings integer DEFAULT 1 NOT NULL,
    setup_minutes integer DEFAULT 0 NOT NULL,
    teardown_minutes integer DEFAULT 0 NOT NULL,
    opening_hours jsonb,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    booking text DEFAULT 'EVERYONE'::text NOT NULL,
    CONSTRAINT resources_booking CHECK ((booking = ANY (ARRAY['EVERYONE'::text, 'MEMBERS'::text, 'NOBODY'::text]))),
    CONSTRAINT resources_concurrent_bookings_range CHECK (((concurrent_bookings >= 1) AND (concurrent_bookings <= 1000))),
    CONSTRAINT resources_description_length CHECK ((char_length(description) <= 10000)),
    CONSTRAINT resources_features_bound CHECK ((cardinality(features) <= 50)),
    CONSTRAINT resources_kind CHECK ((kind = ANY (ARRAY['ROOM'::text, 'EQUIPMENT'::text]))),
    CONSTRAINT resources_location_length CHECK ((char_length(location) <= 2000)),
    CONSTRAINT resources_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT resources_opening_hours_object CHECK ((jsonb_typeof(opening_hours) = 'object'::text)),
    CONSTRAINT resources_seats_range CHECK (((seats >= 1) AND (seats <= 100000))),
    CONSTRAINT resources_setup_minutes_range CHECK (((setup_minutes >= 0) AND (setup_minutes <= 1440))),
    CONSTRAINT resources_teardown_minutes_range CHECK (((teardown_minutes >= 0) AND (teardown_minutes <= 1440))),
    CONSTRAINT resources_tzid_length CHECK (((char_length(tzid) >= 1) AND (char_length(tzid) <= 64)))
);

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    elapsed_ms integer DEFAULT 0 NOT NULL
);

CREATE TABLE public.tokens (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    token_hash bytea NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT tokens_hash_length CHECK ((octet_length(token_hash) = 32)),
    CONSTRAINT tokens_kind CHECK ((kind = ANY (ARRAY['USER'::text, 'SERVICE'::text]))),
    CONSTRAINT tokens_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT tokens_scopes CHECK (((scopes <@ ARRAY['read'::text, 'write'::text, 'admin'::text]) AND (cardinality(scopes) > 0)))
);

CREATE TABLE public.users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    avatar_url text,
    tzid text DEFAULT 'UTC'::text NOT NULL,
    working_hours jsonb DEFAULT '{"fri": [["09:00", "17:00"]], "mon": [["09:00", "17:00"]], "thu": [["09:00", "17:00"]], "tue": [["09:00", "17:00"]], "wed": [["09:00", "17:00"]]}'::jsonb NOT NULL,
    is_admin boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deactivated_at timestamp with time zone,
    erased_at timestamp with time zone,
    CONSTRAINT users_avatar_url_length CHECK ((char_length(avatar_url) <= 2000)),
    CONSTRAINT users_email_shape CHECK (((email = lower(email)) AND (POSITION(('@'::text) IN (email)) > 1) AND (char_length(email) <= 320))),
    CONSTRAINT users_erased_is_deactivated CHECK (((erased_at IS NULL) OR (deactivated_at IS NOT NULL))),
    CONSTRAINT users_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT users_tzid_length CHECK (((char_length(tzid) >= 1) AND (char_length(tzid) <= 64))),
    CONSTRAINT users_working_hours_object CHECK ((jsonb_typeof(working_hours) = 'object'::text))
)
WITH (fillfactor='90');

ALTER TABLE ONLY public.change_log ATTACH PARTITION public.change_log_default DEFAULT;

ALTER TABLE ONLY public.attendees
    ADD CONSTRAINT attendees_pkey PRIMARY KEY (event_id, email);

ALTER TABLE ONLY public.calendar_members
    ADD CONSTRAINT calendar_members_pkey PRIMARY KEY (user_id, calendar_id);

ALTER TABLE ONLY public.calendars
    ADD CONSTRAINT calendars_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.change_log_forgotten
    ADD CONSTRAINT change_log_forgotten_pkey PRIMARY KEY (scope_kind, scope_id);

ALTER TABLE ONLY public.event_resources
    ADD CONSTRAINT event_resources_pkey PRIMARY KEY (event_id, resource_id);

ALTER TABLE ONLY public.event_user_state
    ADD CONSTRAINT event_user_state_pkey PRIMARY KEY (user_id, event_id);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key);

ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_no_double_booking EXCLUDE USING gist (resource_id WITH =, unit WITH =, blocked WITH &&) WHERE ((status = 'CONFIRMED'::text));

ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.resource_members
    ADD CONSTRAINT resource_members_pkey PRIMARY KEY (resource_id, user_id);

ALTER TABLE ONLY public.resources
    ADD CONSTRAINT resources_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX attendees_email ON public.attendees USING btree (email) WHERE (user_id IS NULL);

CREATE INDEX attendees_user_span ON public.attendees USING btree (user_id, span_end, start_time) INCLUDE (event_id) WHERE (user_id IS NOT NULL);

CREATE INDEX calendar_members_calendar ON public.calendar_members USING btree (calendar_id, user_id);

CREATE UNIQUE INDEX calendars_personal_for_key ON public.calendars USING btree (personal_for) WHERE ((personal_for IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX change_log_entity_id ON ONLY public.change_log USING btree (entity_id, xid);

CREATE INDEX change_log_default_entity_id_xid_idx ON public.change_log_default USING btree (entity_id, xid);

CREATE INDEX change_log_scope ON ONLY public.change_log USING btree (scope_id, xid);

CREATE INDEX change_log_default_scope_id_xid_idx ON public.change_log_default USING btree (scope_id, xid);

CREATE INDEX change_log_xid ON ONLY public.change_log USING btree (xid);

CREATE INDEX change_log_default_xid_idx ON public.change_log_default USING btree (xid);

CREATE INDEX event_resources_booked_until ON public.event_resources USING btree (booked_until) WHERE (booked_until IS NOT NULL);

CREATE INDEX event_resources_resource ON public.event_resources USING btree (resource_id);

CREATE INDEX event_user_state_event ON public.event_user_state USING btree (event_id);

CREATE INDEX events_calendar_span ON public.events USING btree (calendar_id, span_end, start_time) WHERE (deleted_at IS NULL);

CREATE INDEX events_organizer_span ON public.events USING btree (organizer_id, span_end, start_time) WHERE (deleted_at IS NULL);

CREATE INDEX events_search ON public.events USING gin (public.search_items(calendar_id, public.search_text(title, location, description))) WITH (gin_pending_list_limit='256') WHERE (deleted_at IS NULL);
ALTER INDEX public.events_search ALTER COLUMN 1 SET STATISTICS 0;

CREATE INDEX events_series ON public.events USING btree (series_id, recurrence_id) WHERE (series_id IS NOT NULL);

CREATE UNIQUE INDEX events_uid_key ON public.events USING btree (uid, calendar_id, COALESCE(recurrence_id, '-infinity'::timestamp with time zone)) WHERE (deleted_at IS NULL);

CREATE INDEX idempotency_keys_created ON public.idempotency_keys USING btree (created_at);

CREATE INDEX reservations_event ON public.reservations USING btree (event_id, resource_id);

CREATE INDEX resource_members_user ON public.resource_members USING btree (user_id);

CREATE INDEX resources_name ON public.resources USING btree (name, id) WHERE (deleted_at IS NULL);

CREATE INDEX tokens_user ON public.tokens USING btree (user_id, created_at);

ALTER INDEX public.change_log_entity_id ATTACH PARTITION public.change_log_default_entity_id_xid_idx;

ALTER INDEX public.change_log_scope ATTACH PARTITION public.change_log_default_scope_id_xid_idx;

ALTER INDEX public.change_log_xid ATTACH PARTITION public.change_log_default_xid_idx;

CREATE TRIGGER attendees_log_delete AFTER DELETE ON public.attendees REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_attendees();

CREATE TRIGGER attendees_log_insert AFTER INSERT ON public.attendees REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_attendees();

CREATE TRIGGER attendees_log_truncate AFTER TRUNCATE ON public.attendees FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER attendees_log_update AFTER UPDATE ON public.attendees REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_attendees();

CREATE TRIGGER attendees_span_insert BEFORE INSERT ON public.attendees FOR EACH ROW EXECUTE FUNCTION public.take_span_of_event();

CREATE TRIGGER attendees_span_update BEFORE UPDATE OF event_id, start_time, span_end ON public.attendees FOR EACH ROW WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION public.take_span_of_event();

CREATE TRIGGER calendar_members_log_delete AFTER DELETE ON public.calendar_members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendar_members();

CREATE TRIGGER calendar_members_log_insert AFTER INSERT ON public.calendar_members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendar_members();

CREATE TRIGGER calendar_members_log_truncate AFTER TRUNCATE ON public.calendar_members FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER calendar_members_log_update AFTER UPDATE ON public.calendar_members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendar_members();

CREATE TRIGGER calendars_log_delete AFTER DELETE ON public.calendars REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendars();

CREATE TRIGGER calendars_log_insert AFTER INSERT ON public.calendars REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendars();

CREATE TRIGGER calendars_log_truncate AFTER TRUNCATE ON public.calendars FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER calendars_log_update AFTER UPDATE ON public.calendars REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_calendars();

CREATE TRIGGER calendars_touch BEFORE UPDATE ON public.calendars FOR EACH ROW EXECUTE FUNCTION public.touch_row();

CREATE TRIGGER event_resources_log_delete AFTER DELETE ON public.event_resources REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_resources();

CREATE TRIGGER event_resources_log_insert AFTER INSERT ON public.event_resources REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_resources();

CREATE TRIGGER event_resources_log_truncate AFTER TRUNCATE ON public.event_resources FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER event_resources_log_update AFTER UPDATE ON public.event_resources REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_resources();

CREATE TRIGGER event_user_state_log_delete AFTER DELETE ON public.event_user_state REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_user_state();

CREATE TRIGGER event_user_state_log_insert AFTER INSERT ON public.event_user_state REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_user_state();

CREATE TRIGGER event_user_state_log_truncate AFTER TRUNCATE ON public.event_user_state FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER event_user_state_log_update AFTER UPDATE ON public.event_user_state REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_event_user_state();

CREATE TRIGGER events_log_delete AFTER DELETE ON public.events REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_events();

CREATE TRIGGER events_log_insert AFTER INSERT ON public.events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_events();

CREATE TRIGGER events_log_truncate AFTER TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER events_log_update AFTER UPDATE ON public.events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_events();

CREATE TRIGGER events_touch BEFORE UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION public.touch_row();

CREATE TRIGGER reservations_log_delete AFTER DELETE ON public.reservations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_reservations();

CREATE TRIGGER reservations_log_insert AFTER INSERT ON public.reservations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_reservations();

CREATE TRIGGER reservations_log_truncate AFTER TRUNCATE ON public.reservations FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER reservations_log_update AFTER UPDATE ON public.reservations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_reservations();

CREATE TRIGGER resource_members_log_delete AFTER DELETE ON public.resource_members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resource_members();

CREATE TRIGGER resource_members_log_insert AFTER INSERT ON public.resource_members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resource_members();

CREATE TRIGGER resource_members_log_truncate AFTER TRUNCATE ON public.resource_members FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER resource_members_log_update AFTER UPDATE ON public.resource_members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resource_members();

CREATE TRIGGER resources_log_delete AFTER DELETE ON public.resources REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resources();

CREATE TRIGGER resources_log_insert AFTER INSERT ON public.resources REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resources();

CREATE TRIGGER resources_log_truncate AFTER TRUNCATE ON public.resources FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER resources_log_update AFTER UPDATE ON public.resources REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_resources();

CREATE TRIGGER resources_touch BEFORE UPDATE ON public.resources FOR EACH ROW EXECUTE FUNCTION public.touch_row();

CREATE TRIGGER tokens_log_delete AFTER DELETE ON public.tokens REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_tokens();

CREATE TRIGGER tokens_log_insert AFTER INSERT ON public.tokens REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_tokens();

CREATE TRIGGER tokens_log_truncate AFTER TRUNCATE ON public.tokens FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER tokens_log_update AFTER UPDATE ON public.tokens REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_tokens();

CREATE TRIGGER users_log_delete AFTER DELETE ON public.users REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_users();

CREATE TRIGGER users_log_insert AFTER INSERT ON public.users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_users();

CREATE TRIGGER users_log_truncate AFTER TRUNCATE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.log_truncate();

CREATE TRIGGER users_log_update AFTER UPDATE ON public.users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.log_users();

CREATE TRIGGER users_touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.touch_row();

ALTER TABLE ONLY public.attendees
    ADD CONSTRAINT attendees_event_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attendees
    ADD CONSTRAINT attendees_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.calendar_members
    ADD CONSTRAINT calendar_members_calendar_fkey FOREIGN KEY (calendar_id) REFERENCES public.calendars(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.calendar_members
    ADD CONSTRAINT calendar_members_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.calendars
    ADD CONSTRAINT calendars_personal_for_fkey FOREIGN KEY (personal_for) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.event_resources
    ADD CONSTRAINT event_resources_event_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.event_resources
    ADD CONSTRAINT event_resources_resource_fkey FOREIGN KEY (resource_id) REFERENCES public.resources(id);

ALTER TABLE ONLY public.event_user_state
    ADD CONSTRAINT event_user_state_event_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.event_user_state
    ADD CONSTRAINT event_user_state_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_calendar_fkey FOREIGN KEY (calendar_id) REFERENCES public.calendars(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_organizer_fkey FOREIGN KEY (organizer_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_series_fkey FOREIGN KEY (series_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_event_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_resource_fkey FOREIGN KEY (resource_id) REFERENCES public.resources(id);

ALTER TABLE ONLY public.resource_members
    ADD CONSTRAINT resource_members_resource_fkey FOREIGN KEY (resource_id) REFERENCES public.resources(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.resource_members
    ADD CONSTRAINT resource_members_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
