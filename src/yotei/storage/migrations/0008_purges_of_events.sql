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

-- Of each of these events what matters to its series: how long an instance lasts, where its exceptions lie (`first` to `last`, and
-- with itself `whole_first` to `whole_last`), the calendars of all of them, and whether one moves what follows, so that
-- every exception is shown wherever the series is.
create function event_log_series(ids uuid[])
  returns table (id uuid, lasts interval, first timestamptz, last timestamptz, whole_first timestamptz, whole_last timestamptz,
                 calendar_ids uuid[], moves boolean)
  stable language plpgsql as $$
begin
  if cardinality(ids) = 0 then
    return;
  end if;
  return query
    select m.id, m.end_time - m.start_time, o.first, o.last, least(m.start_time, o.first), greatest(m.span_end, o.last),
           array(select m.calendar_id union select unnest(o.calendar_ids)), coalesce(o.moves, false)
    from events m
    cross join lateral (
      select min(e.start_time) as first, max(e.span_end) as last, array_agg(distinct e.calendar_id) as calendar_ids,
             bool_or(e.this_and_future) as moves
      from events e
      where e.series_id = m.id and e.deleted_at is null
    ) o
    where m.id = any(ids);
end $$;

-- `first` and `last` may be null, then nothing else matters.
create function event_log_span(start_time timestamptz, span_end timestamptz, recurrence_id timestamptz, replaced_until timestamptz,
                               first timestamptz, last timestamptz) returns tstzrange immutable language sql
  return tstzrange(least(start_time, recurrence_id, first), greatest(span_end, recurrence_id, replaced_until, last), '[]');

-- Of each of these events: its calendar, where it is shown there, and whether it is shown with how far it is booked.
create function event_log_reach(ids uuid[]) returns table (id uuid, calendar_id uuid, lasts interval, recurs boolean, span tstzrange)
  stable language plpgsql as $$
begin
  return query
    with series as materialized (
      select s.*
      from event_log_series(ids || array(select e.series_id from events e where e.id = any(ids) and e.series_id is not null)) s
    )
    select e.id, e.calendar_id, e.end_time - e.start_time, e.rrule is not null or e.rdates <> '{}',
           event_log_span(e.start_time, e.span_end, e.recurrence_id, event_log_until(e.recurrence_id, s.lasts),
                          least(own.first, w.whole_first), greatest(own.last, w.whole_last))
    from events e
    left join series own on own.id = e.id
    left join series s on s.id = e.series_id
    left join series w on w.id = e.series_id and (w.moves or cardinality(w.calendar_ids) > 1)
    where e.id = any(ids);
end $$;

create or replace function log_events() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span, fields)
    with series as materialized (
      select s.* from event_log_series(array(select distinct series_id from new_rows where series_id is not null)) s
    ),
    added as materialized (
      select n.id, n.calendar_id, n.organizer_id, w.calendar_ids,
             event_log_span(n.start_time, n.span_end, n.recurrence_id, event_log_until(n.recurrence_id, s.lasts),
                            w.whole_first, w.whole_last) as span
      from new_rows n
      left join series s on s.id = n.series_id
      left join series w on w.id = n.series_id and (n.this_and_future or w.moves or w.calendar_ids <> array[n.calendar_id])
    )
    select 'calendar', a.calendar_id, 'event', a.id, a.organizer_id, 'insert', a.span, null::text[] from added a
    union all
    -- Part of the series lies in another calendar; an update of no field tells nobody anything else.
    select 'calendar', c.id, 'event', a.id, null, 'update', a.span, '{}'
    from added a cross join lateral unnest(a.calendar_ids) c (id) where c.id <> a.calendar_id;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, fields)
    with series as materialized (
      select s.* from event_log_series(array(select distinct series_id from old_rows where series_id is not null)) s
    ),
    gone as materialized (
      select o.id, o.calendar_id, o.organizer_id, w.calendar_ids,
             event_log_span(o.start_time, o.span_end, o.recurrence_id, event_log_until(o.recurrence_id, s.lasts),
                            w.whole_first, w.whole_last) as span
      from old_rows o
      left join series s on s.id = o.series_id
      left join series w on w.id = o.series_id and (o.this_and_future or w.moves or w.calendar_ids <> array[o.calendar_id])
    )
    select 'calendar', g.calendar_id, 'event', g.id, g.organizer_id, 'delete', g.span, null::text[] from gone g
    union all
    select 'calendar', c.id, 'event', g.id, null, 'update', g.span, '{}'
    from gone g cross join lateral unnest(g.calendar_ids) c (id) where c.id <> g.calendar_id;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, new_span, fields)
    with series as materialized (
      select s.*
      from event_log_series(array(select n.id from new_rows n
                                  union select n.series_id from new_rows n where n.series_id is not null
                                  union select o.series_id from old_rows o where o.series_id is not null)) s
    ),
    was as materialized (
      select o.*, own.calendar_ids || w.calendar_ids as calendar_ids,
             event_log_span(o.start_time, o.span_end, o.recurrence_id, event_log_until(o.recurrence_id, s.lasts),
                            least(own.first, w.whole_first), greatest(own.last, w.whole_last)) as span
      from old_rows o
      left join series own on own.id = o.id
      left join series s on s.id = o.series_id
      left join series w on w.id = o.series_id and (o.this_and_future or w.moves or w.calendar_ids <> array[o.calendar_id])
    ),
    changed as materialized (
      select coalesce(n.id, o.id) as id, o.calendar_id as old_calendar_id, n.calendar_id, o.organizer_id as old_organizer_id, n.organizer_id,
             o.span as old_span,
             case when n.id is not null then
               event_log_span(n.start_time, n.span_end, n.recurrence_id, event_log_until(n.recurrence_id, s.lasts),
                              least(own.first, w.whole_first), greatest(own.last, w.whole_last)) end as new_span,
             o.calendar_ids || own.calendar_ids || w.calendar_ids as calendar_ids,
             case when o.deleted_at is null then tstzrange(o.start_time, o.span_end, '[]') end as old_own,
             case when n.deleted_at is null then tstzrange(n.start_time, n.span_end, '[]') end as new_own,
             case when n.deleted_at is not null and o.deleted_at is null then 'delete'
                  when n.deleted_at is null and o.deleted_at is not null then 'restore'
                  else 'update' end as op,
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
               case when n.visibility <> o.visibility then 'visibility' end], null) as fields
      from new_rows n
      full join was o on o.id = n.id
      left join series own on own.id = n.id
      left join series s on s.id = n.series_id
      left join series w on w.id = n.series_id and (n.this_and_future or w.moves or w.calendar_ids <> array[n.calendar_id])
    )
    select 'calendar', c.old_calendar_id, 'event', c.id, c.old_organizer_id, 'remove', c.old_span, null, null
    from changed c
    where c.old_calendar_id is distinct from c.calendar_id and c.old_calendar_id is not null
    union all
    select 'calendar', c.calendar_id, 'event', c.id, c.organizer_id,
           case when c.old_calendar_id is distinct from c.calendar_id then 'insert' else c.op end,
           case when c.old_calendar_id = c.calendar_id then c.old_span end, c.new_span, c.fields
    from changed c
    where c.calendar_id is not null
    union all
    select distinct 'calendar', k.id, 'event', c.id, null::uuid, 'update', c.old_span, c.new_span, '{}'::text[]
    from changed c
    cross join lateral unnest(c.calendar_ids) k (id)
    where k.id is distinct from c.old_calendar_id and k.id is distinct from c.calendar_id
    union all
    -- The agenda of a former organizer changes too, and that of a new one.
    select 'user', c.old_organizer_id, 'event', c.id, c.old_organizer_id, 'remove', c.old_own, null, null
    from changed c
    where c.organizer_id <> c.old_organizer_id
    union all
    select 'user', c.organizer_id, 'event', c.id, c.organizer_id, 'insert', null, c.new_own, null
    from changed c
    where c.organizer_id <> c.old_organizer_id
    union all
    -- When an event moves it does so for all who are invited. Its organizer is named above, where the spans are not the same.
    select 'user', p.user_id, 'event', c.id, p.user_id, c.op, c.old_own, c.new_own, null
    from changed c
    cross join lateral (
      select a.user_id from attendees a
      where a.event_id = c.id and a.user_id is not null and not (a.user_id = c.organizer_id and c.organizer_id = c.old_organizer_id)
      union all
      select c.organizer_id where c.old_span = c.new_span and c.old_calendar_id = c.calendar_id and c.op = 'update'
    ) p
    where (c.old_own is distinct from c.new_own or (c.old_calendar_id <> c.calendar_id and c.new_own is not null))
      and c.old_calendar_id is not null and c.calendar_id is not null;
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
           case when v.is_whole then e.span else tstzrange(v.first, event_log_until(v.last, e.lasts), '[]') end
    from (select event_id, bool_or(recurrence_id is null) as is_whole, min(recurrence_id) as first, max(recurrence_id) as last
          from new_rows group by event_id) v
    join event_log_reach(array(select distinct event_id from new_rows)) e on e.id = v.event_id;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', resource_id, 'reservation', event_id, 'delete', blocked from old_rows where status = 'CONFIRMED';
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'calendar', e.calendar_id, 'reservation', e.id, 'delete',
           case when v.is_whole then e.span else tstzrange(v.first, event_log_until(v.last, e.lasts), '[]') end
    from (select event_id, bool_or(recurrence_id is null) as is_whole, min(recurrence_id) as first, max(recurrence_id) as last
          from old_rows group by event_id) v
    join event_log_reach(array(select distinct event_id from old_rows)) e on e.id = v.event_id;
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
           case when v.is_whole then e.span else tstzrange(v.first, event_log_until(v.last, e.lasts), '[]') end
    from (select b.event_id, bool_or(b.recurrence_id is null) as is_whole, min(b.recurrence_id) as first, max(b.recurrence_id) as last
          from (select event_id, recurrence_id from new_rows union all select event_id, recurrence_id from old_rows) b
          group by b.event_id) v
    join event_log_reach(array(select event_id from new_rows union select event_id from old_rows)) e on e.id = v.event_id;
  end if;
  return null;
end $$;

-- How far a series is booked is shown wherever it is; of a single event nothing of it is.
create or replace function log_event_resources() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'calendar', e.calendar_id, 'booking', e.id, 'remove', case when e.recurs then e.span end
    from event_log_reach(array(select distinct event_id from old_rows)) e;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'booking', e.id, 'insert', case when e.recurs then e.span end
    from event_log_reach(array(select distinct event_id from new_rows)) e;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'booking', e.id, 'update', case when e.recurs then e.span end
    from event_log_reach(array(select event_id from new_rows union select event_id from old_rows)) e;
  end if;
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
