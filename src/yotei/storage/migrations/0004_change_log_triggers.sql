-- Who writes the change log. Statement-level triggers over transition tables: a statement that changes 500 rows
-- logs them with one INSERT ... SELECT.

create function event_log_span(start_time timestamptz, span_end timestamptz, recurrence_id timestamptz) returns tstzrange immutable language sql
  return tstzrange(least(start_time, recurrence_id), greatest(span_end, recurrence_id), '[]');

create function log_events() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span)
    select 'calendar', calendar_id, 'event', id, organizer_id, 'insert', event_log_span(start_time, span_end, recurrence_id) from new_rows;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', calendar_id, 'event', id, organizer_id, 'delete', event_log_span(start_time, span_end, recurrence_id) from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', o.calendar_id, 'event', o.id, o.organizer_id, 'remove', event_log_span(o.start_time, o.span_end, o.recurrence_id)
    from old_rows o left join new_rows n on n.id = o.id
    where n.id is null or n.calendar_id <> o.calendar_id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, new_span)
    select 'calendar', n.calendar_id, 'event', n.id, n.organizer_id,
           case when o.id is null or n.calendar_id <> o.calendar_id then 'insert'
                when n.deleted_at is not null and o.deleted_at is null then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end,
           event_log_span(o.start_time, o.span_end, o.recurrence_id), event_log_span(n.start_time, n.span_end, n.recurrence_id)
    from new_rows n left join old_rows o on o.id = n.id;
    -- A former organizer's agenda changes too.
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'user', o.organizer_id, 'event', o.id, o.organizer_id, 'remove', event_log_span(o.start_time, o.span_end, o.recurrence_id)
    from old_rows o join new_rows n on n.id = o.id where n.organizer_id <> o.organizer_id;
  end if;
  return null;
end $$;

create function log_attendees() returns trigger language plpgsql as $$
begin
  -- When an event is deleted for good its attendees go after it: then the row is logged for the person alone.
  if tg_op <> 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select case when e.id is null then 'user' else 'calendar' end, coalesce(e.calendar_id, o.user_id), 'attendee', o.event_id, o.user_id, 'remove',
           event_log_span(e.start_time, e.span_end, e.recurrence_id)
    from old_rows o left join events e on e.id = o.event_id
    where coalesce(e.calendar_id, o.user_id) is not null and tg_op = 'DELETE';
  end if;
  if tg_op = 'UPDATE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'calendar', e.calendar_id, 'attendee', o.event_id, o.user_id, 'remove', event_log_span(e.start_time, e.span_end, e.recurrence_id)
    from old_rows o
    join events e on e.id = o.event_id
    left join new_rows n on n.event_id = o.event_id and n.email = o.email
    where n.event_id is null or n.user_id is distinct from o.user_id;
  end if;
  if tg_op <> 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span)
    select 'calendar', e.calendar_id, 'attendee', n.event_id, n.user_id, lower(tg_op), event_log_span(e.start_time, e.span_end, e.recurrence_id)
    from new_rows n join events e on e.id = n.event_id;
  end if;
  return null;
end $$;

create function log_reservations() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'resource', resource_id, 'reservation', event_id, 'insert', blocked from new_rows;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', resource_id, 'reservation', event_id, 'delete', blocked from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', o.resource_id, 'reservation', o.event_id, 'remove', o.blocked
    from old_rows o left join new_rows n on n.id = o.id
    where n.id is null or n.resource_id <> o.resource_id or n.event_id <> o.event_id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span, new_span)
    select 'resource', n.resource_id, 'reservation', n.event_id, 'update', o.blocked, n.blocked
    from new_rows n left join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

create function log_calendars() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', id, 'calendar', id, personal_for, 'delete' from old_rows;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', id, 'calendar', id, personal_for, 'insert' from new_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'calendar', n.id, 'calendar', n.id, n.personal_for,
           case when n.deleted_at is not null and o.deleted_at is null then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end
    from new_rows n left join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

create function log_calendar_members() returns trigger language plpgsql as $$
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

create function log_users() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', id, 'user', id, id, 'delete' from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', id, 'user', id, id, lower(tg_op) from new_rows;
  end if;
  return null;
end $$;

create function log_tokens() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', user_id, 'token', id, user_id, 'delete' from old_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op) select 'user', user_id, 'token', id, user_id, lower(tg_op) from new_rows;
  end if;
  return null;
end $$;

create function log_resources() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op) select 'resource', id, 'resource', id, 'delete' from old_rows;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op) select 'resource', id, 'resource', id, 'insert' from new_rows;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op)
    select 'resource', n.id, 'resource', n.id,
           case when n.deleted_at is not null and o.deleted_at is null then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end
    from new_rows n left join old_rows o on o.id = n.id;
  end if;
  return null;
end $$;

create function log_event_user_state() returns trigger language plpgsql as $$
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

-- A transition table belongs to one kind of operation, so each table has three triggers over one function.
do $$
declare
  logged text;
begin
  foreach logged in array array['events', 'attendees', 'reservations', 'calendars', 'calendar_members', 'users', 'tokens', 'resources', 'event_user_state'] loop
    execute format('create trigger %1$s_log_insert after insert on %1$I referencing new table as new_rows for each statement execute function log_%1$s()', logged);
    execute format('create trigger %1$s_log_update after update on %1$I referencing old table as old_rows new table as new_rows for each statement execute function log_%1$s()', logged);
    execute format('create trigger %1$s_log_delete after delete on %1$I referencing old table as old_rows for each statement execute function log_%1$s()', logged);
  end loop;
end $$;

-- The version behind an ETag moves with every change, whoever makes it.
create function touch_row() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end $$;
create trigger events_touch before update on events for each row execute function touch_row();
create trigger calendars_touch before update on calendars for each row execute function touch_row();
create trigger users_touch before update on users for each row execute function touch_row();
create trigger resources_touch before update on resources for each row execute function touch_row();
