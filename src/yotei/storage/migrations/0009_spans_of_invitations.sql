-- yotei: no-transaction
-- yotei: lock_timeout_ms=600000
-- yotei: statement_timeout_ms=86400000
-- An invitation knows when its event is, so that those of a time are found without those of all times: see
-- docs/adr/0018-invitations-know-their-time.md. The database keeps it, whoever writes.
--
-- Outside of a transaction, so that writers go on while the invitations that are there get their spans. A lock behind which others
-- would queue is given up after five seconds. Every step can be taken again.
do $$
begin
  perform set_config('lock_timeout', '5000', true);
  alter table attendees add column if not exists start_time timestamptz, add column if not exists span_end timestamptz;
end $$;

-- The event is locked, so that an invitation and a move of it take turns: whichever is second sees the first.
create or replace function take_span_of_event() returns trigger language plpgsql as $$
begin
  select e.start_time, e.span_end into new.start_time, new.span_end from events e where e.id = new.event_id for share;
  if not found then
    raise foreign_key_violation using
      message = format('there is no event %s', new.event_id), table = 'attendees', constraint = 'attendees_event_fkey';
  end if;
  return new;
end $$;

-- Those who are invited go with the event: `start_time` and `span_end` of an event that moves are written on to its attendees.
create or replace function log_events() returns trigger language plpgsql set plan_cache_mode = force_generic_plan as $$
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

-- An update that carries the span of an event on tells nobody anything.
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

-- Nobody writes by the functions of before from here on: transactions that may have are waited for. In a trigger, that is, when an
-- event has moved, the span is the event's; from elsewhere nobody can give it another one.
do $$
begin
  perform set_config('lock_timeout', '5000', true);
  lock table events, attendees in share row exclusive mode;
  create or replace trigger attendees_span_insert before insert on attendees
    for each row execute function take_span_of_event();
  create or replace trigger attendees_span_update before update of event_id, start_time, span_end on attendees
    for each row when (pg_trigger_depth() = 0) execute function take_span_of_event();
  create or replace trigger attendees_log_update after update on attendees referencing old table as old_rows new table as new_rows
    for each statement when (current_setting('yotei.fills_spans', true) is distinct from 'on') execute function log_attendees();
end $$;

-- Those that are there, event by event: locked first, so that what is read of them stays true until it is written. That is no
-- change that anybody is told of.
do $$
declare
  batch constant integer := 1000;
  ids uuid[];
  first uuid := '00000000-0000-0000-0000-000000000000';
begin
  loop
    perform set_config('yotei.fills_spans', 'on', true);
    ids := array(select e.id from events e where e.id >= first order by e.id limit batch for share);
    update attendees a
    set start_time = e.start_time, span_end = e.span_end
    from events e
    where e.id = any(ids) and a.event_id = e.id and (a.start_time is null or a.span_end is null);
    commit;
    exit when cardinality(ids) < batch;
    first := ids[batch];
  end loop;
end $$;

-- A check that is known to hold saves the look at every row under a lock that readers feel.
do $$
begin
  perform set_config('lock_timeout', '5000', true);
  create or replace trigger attendees_log_update after update on attendees referencing old table as old_rows new table as new_rows
    for each statement execute function log_attendees();
  alter table attendees drop constraint if exists attendees_span_known;
  alter table attendees add constraint attendees_span_known check (start_time is not null and span_end is not null) not valid;
end $$;
alter table attendees validate constraint attendees_span_known;
do $$
begin
  perform set_config('lock_timeout', '5000', true);
  alter table attendees alter column start_time set not null, alter column span_end set not null;
  alter table attendees drop constraint attendees_span_known;
end $$;

-- The end first, as for events (docs/adr/0008-one-overlap-index.md). An answer changes nothing of it, and stays HOT.
create index concurrently if not exists attendees_user_span on attendees (user_id, span_end, start_time) include (event_id)
  where user_id is not null;
drop index concurrently if exists attendees_user;
