-- What writing needs: which resources an event wants and who may have them, answers kept for their idempotency keys,
-- instances of a series that could not be had, and what exactly changed, in the log.

-- Who may book a resource: everybody, its members only, or nobody for now.
alter table resources add column booking text not null default 'EVERYONE'
  constraint resources_booking check (booking in ('EVERYONE', 'MEMBERS', 'NOBODY'));

create table resource_members (
  resource_id uuid        not null constraint resource_members_resource_fkey references resources on delete cascade,
  user_id     uuid        not null constraint resource_members_user_fkey references users on delete cascade,
  role        text        not null constraint resource_members_role check (role in ('MANAGER', 'BOOKER')),
  created_at  timestamptz not null default now(),
  constraint resource_members_pkey primary key (resource_id, user_id)
);
create index resource_members_user on resource_members (user_id);

-- What an event wants of a resource. It outlives its reservations: an event that is restored books again by it.
create table event_resources (
  event_id     uuid        not null constraint event_resources_event_fkey references events on delete cascade,
  resource_id  uuid        not null constraint event_resources_resource_fkey references resources,
  -- ALL: every instance or none; PARTIAL: those that are free, and a list of the others.
  policy       text        not null default 'ALL' constraint event_resources_policy check (policy in ('ALL', 'PARTIAL')),
  -- A series that goes on behind the horizon is booked up to here; null: it is booked to its end.
  booked_until timestamptz,
  constraint event_resources_pkey primary key (event_id, resource_id)
);
create index event_resources_resource on event_resources (resource_id);
create index event_resources_booked_until on event_resources (booked_until) where booked_until is not null;

insert into event_resources (event_id, resource_id, policy, booked_until)
select v.event_id, v.resource_id, 'PARTIAL',
       case when e.rrule is not null and e.span_end > max(v.end_time) then max(v.end_time) end
from reservations v
join events e on e.id = v.event_id
where v.status = 'CONFIRMED'
group by v.event_id, v.resource_id, e.rrule, e.span_end;

-- MISSED: an instance that its series wanted and could not have.
alter table reservations drop constraint reservations_status;
alter table reservations add constraint reservations_status check (status in ('CONFIRMED', 'CANCELLED', 'MISSED'));

-- The answer to a write, for whoever sends it again with the same key. Kept for a day.
create table idempotency_keys (
  user_id      uuid        not null constraint idempotency_keys_user_fkey references users on delete cascade,
  key          text        not null constraint idempotency_keys_key_length check (char_length(key) between 1 and 255),
  request_hash bytea       not null constraint idempotency_keys_hash_length check (octet_length(request_hash) = 32),
  status       integer     constraint idempotency_keys_status_range check (status between 200 and 299),
  headers      jsonb,
  body         bytea,
  created_at   timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (user_id, key)
);
create index idempotency_keys_created on idempotency_keys (created_at);

-- Invitations to people who have no account yet, and their erasure, are found by address.
create index attendees_email on attendees (email) where user_id is null;

-- Which fields a change touched; null where the whole thing came or went.
alter table change_log add column fields text[];
alter table change_log drop constraint change_log_entity;
alter table change_log add constraint change_log_entity check
  (entity in ('event', 'attendee', 'booking', 'reservation', 'calendar', 'member', 'user', 'resource', 'resource_member', 'token', 'event_user_state', 'bulk'));
-- The history of one thing.
create index change_log_entity_id on change_log (entity_id, xid);

create or replace function log_events() returns trigger language plpgsql as $$
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
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span, new_span, fields)
    select 'calendar', n.calendar_id, 'event', n.id, n.organizer_id,
           case when o.id is null or n.calendar_id <> o.calendar_id then 'insert'
                when n.deleted_at is not null and o.deleted_at is null then 'delete'
                when n.deleted_at is null and o.deleted_at is not null then 'restore'
                else 'update' end,
           event_log_span(o.start_time, o.span_end, o.recurrence_id), event_log_span(n.start_time, n.span_end, n.recurrence_id),
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
    from new_rows n left join old_rows o on o.id = n.id;
    -- A former organizer's agenda changes too.
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, old_span)
    select 'user', o.organizer_id, 'event', o.id, o.organizer_id, 'remove', event_log_span(o.start_time, o.span_end, o.recurrence_id)
    from old_rows o join new_rows n on n.id = o.id where n.organizer_id <> o.organizer_id;
  end if;
  return null;
end $$;

create or replace function log_attendees() returns trigger language plpgsql as $$
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
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span, fields)
    select 'calendar', e.calendar_id, 'attendee', n.event_id, n.user_id, 'update', event_log_span(e.start_time, e.span_end, e.recurrence_id),
           array_remove(array[
             case when n.response_status is distinct from o.response_status then 'response_status' end,
             case when n.comment is distinct from o.comment then 'comment' end,
             case when n.is_optional is distinct from o.is_optional then 'is_optional' end,
             case when n.name is distinct from o.name then 'name' end], null)
    from new_rows n
    join events e on e.id = n.event_id
    left join old_rows o on o.event_id = n.event_id and o.email = n.email;
  elsif tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op, new_span)
    select 'calendar', e.calendar_id, 'attendee', n.event_id, n.user_id, 'insert', event_log_span(e.start_time, e.span_end, e.recurrence_id)
    from new_rows n join events e on e.id = n.event_id;
  end if;
  return null;
end $$;

-- A booking is seen in two places: when the resource is taken, and which rooms the event has. The second is logged once for
-- each event, however many instances of it are booked.
create or replace function log_reservations() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'resource', resource_id, 'reservation', event_id, 'insert', blocked from new_rows where status = 'CONFIRMED';
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'reservation', v.event_id, 'insert', v.span
    from (select event_id, range_merge(range_agg(blocked)) as span from new_rows group by event_id) v
    join events e on e.id = v.event_id;
  elsif tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', resource_id, 'reservation', event_id, 'delete', blocked from old_rows where status = 'CONFIRMED';
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'calendar', e.calendar_id, 'reservation', v.event_id, 'delete', v.span
    from (select event_id, range_merge(range_agg(blocked)) as span from old_rows group by event_id) v
    join events e on e.id = v.event_id;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span)
    select 'resource', o.resource_id, 'reservation', o.event_id, 'remove', o.blocked
    from old_rows o left join new_rows n on n.id = o.id
    where n.id is null or n.resource_id <> o.resource_id or n.event_id <> o.event_id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, old_span, new_span)
    select 'resource', n.resource_id, 'reservation', n.event_id, 'update', o.blocked, n.blocked
    from new_rows n left join old_rows o on o.id = n.id;
    insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
    select 'calendar', e.calendar_id, 'reservation', v.event_id, 'update', v.span
    from (select b.event_id, range_merge(range_agg(b.blocked)) as span
          from (select event_id, blocked from new_rows union all select event_id, blocked from old_rows) b
          group by b.event_id) v
    join events e on e.id = v.event_id;
  end if;
  return null;
end $$;

create function log_event_resources() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, op)
    select distinct 'calendar', e.calendar_id, 'booking', o.event_id, 'remove' from old_rows o join events e on e.id = o.event_id;
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, op)
    select distinct 'calendar', e.calendar_id, 'booking', n.event_id, lower(tg_op) from new_rows n join events e on e.id = n.event_id;
  end if;
  return null;
end $$;
create trigger event_resources_log_insert after insert on event_resources referencing new table as new_rows
  for each statement execute function log_event_resources();
create trigger event_resources_log_update after update on event_resources referencing old table as old_rows new table as new_rows
  for each statement execute function log_event_resources();
create trigger event_resources_log_delete after delete on event_resources referencing old table as old_rows
  for each statement execute function log_event_resources();

create function log_resource_members() returns trigger language plpgsql as $$
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
create trigger resource_members_log_insert after insert on resource_members referencing new table as new_rows
  for each statement execute function log_resource_members();
create trigger resource_members_log_update after update on resource_members referencing old table as old_rows new table as new_rows
  for each statement execute function log_resource_members();
create trigger resource_members_log_delete after delete on resource_members referencing old table as old_rows
  for each statement execute function log_resource_members();
