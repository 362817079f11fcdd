-- What a row of the log says is what caches purge by. So the span of an event is where it is *shown*: also where its series is
-- shown with it; and those whom an event concerns are named when it moves.
--
-- A transaction that is open meanwhile would log by the functions of before, and be read by those who rely on these: it is waited
-- for. Tables in the order in which writers come to them.
lock table users, calendars, calendar_members, resources, resource_members, events, attendees, event_resources, reservations
in share row exclusive mode;

-- Days are of 24 hours here, whatever the zone of the session.
create function event_log_until(start_time timestamptz, lasts interval) returns timestamptz immutable language sql
  return (start_time at time zone 'UTC' + lasts) at time zone 'UTC';

-- A row of a series, as it was or as it is.
create type event_log_version as (id uuid, is_old boolean, calendar_id uuid, series_id uuid, recurrence_id timestamptz,
                                  this_and_future boolean, start_time timestamptz, span_end timestamptz);
-- Where it is shown, and the calendars of its series, where that matters.
create type event_log_reach as (id uuid, is_old boolean, calendar_id uuid, span tstzrange, calendar_ids uuid[]);

-- Those of these events that are of a series; null for none. Here and below the plan is the one for any values: one for those of a
-- call would be made anew by each, and cost more than all else.
create function event_log_versions(ids uuid[]) returns event_log_version[] stable language plpgsql set plan_cache_mode = force_generic_plan as $$
begin
  return (
    select array_agg(row(e.id, false, e.calendar_id, e.series_id, e.recurrence_id, e.this_and_future, e.start_time, e.span_end)::event_log_version)
    from events e
    where e.id = any(ids) and (e.series_id is not null or exists (select from events o where o.series_id = e.id and o.deleted_at is null)));
end $$;

-- A series is shown where one of its exceptions is, and an exception where the instance is that it replaces. Where one of them moves
-- what follows, or lies in another calendar, all exceptions matter to all of the series.
create function event_log_reaches(versions event_log_version[]) returns event_log_reach[] stable language plpgsql set plan_cache_mode = force_generic_plan as $$
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

create or replace function log_events() returns trigger language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  reaches event_log_reach[];
  is_moved boolean := false;
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

-- Where an event was that this transaction has touched is not known here: then the person's row has no span, which means anywhere.
-- Who comes to be behind an address is added: an update of an attendee is an answer, and changes nobody's agenda.
create or replace function log_attendees() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    -- When an event is deleted for good its attendees go after it: then the row is logged for the person alone.
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select case when e.id is null then 'user' else 'calendar' end, coalesce(e.calendar_id, o.user_id), 'attendee', o.event_id, o.user_id, 'remove',
           case when e.updated_at <> now() then tstzrange(e.start_time, e.span_end, '[]') end
    from old_rows o left join events e on e.id = o.event_id
    where coalesce(e.calendar_id, o.user_id) is not null;
  elsif tg_op = 'UPDATE' then
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

-- A booking is seen in two places: when the resource is taken, and which rooms the event has. The second is logged once for
-- each event, however many instances of it are booked: from the first to the last of these, or, where it is no instance
-- that is booked, wherever the event is shown.
create or replace function log_reservations() returns trigger language plpgsql as $$
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

-- How far a series is booked is shown wherever it is; of a single event nothing of it is.
create or replace function log_event_resources() returns trigger language plpgsql set plan_cache_mode = force_generic_plan as $$
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

drop function event_log_span(timestamptz, timestamptz, timestamptz);

-- An id, or the hash of a token, that was changed to another one is gone.
create or replace function log_calendars() returns trigger language plpgsql as $$
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

create or replace function log_users() returns trigger language plpgsql as $$
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

create or replace function log_resources() returns trigger language plpgsql as $$
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

create or replace function log_tokens() returns trigger language plpgsql as $$
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

-- A table that is emptied names no rows: everything has to be read anew, as after a bulk load.
create function log_truncate() returns trigger language plpgsql as $$
begin
  insert into change_log (scope_kind, scope_id, entity, entity_id, op)
  select 'system', nobody, 'bulk', nobody, 'load' from (select '00000000-0000-0000-0000-000000000000'::uuid as nobody) s;
  return null;
end $$;
do $$
declare
  logged text;
begin
  foreach logged in array array['events', 'attendees', 'reservations', 'event_resources', 'calendars', 'calendar_members', 'users', 'tokens',
                                'resources', 'resource_members', 'event_user_state'] loop
    execute format('create trigger %1$s_log_truncate after truncate on %1$I for each statement execute function log_truncate()', logged);
  end loop;
end $$;
