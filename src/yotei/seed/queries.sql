-- name: lock_tables
-- Nobody reads or writes while the tables have no keys; what has references into them is in it too.
lock table users, tokens, calendars, calendar_members, resources, events, attendees, event_user_state, reservations
in access exclusive mode

-- name: begin_load
-- This transaction is long and builds indexes; the limits of a request are not for it.
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('lock_timeout', $1::text, true), set_config('maintenance_work_mem', '256MB', true)

-- name: select_taken
-- Whether there are events, deleted ones too, and which of these addresses belong to somebody.
select exists (select from events) as has_events,
       array(select u.email from users u where u.email = any($1::text[]) order by u.email) as emails

-- name: select_takedown
-- What stands in the way of a bulk load, with the DDL that takes it away and the DDL that puts it back, both from the
-- catalogue; in the order of taking away: triggers, foreign keys, other constraints with an index, plain indexes.
with loaded as (
  select unnest($1::text[])::regclass as id
)
select 1 as place, t.tgname::text as name, 'trigger' as kind,
       format('alter table %s disable trigger %I', t.tgrelid::regclass, t.tgname) as take_away,
       format('alter table %s enable %s trigger %I', t.tgrelid::regclass,
              case t.tgenabled when 'A' then 'always' when 'R' then 'replica' else '' end, t.tgname) as put_back
from pg_trigger t
join loaded l on l.id = t.tgrelid
where not t.tgisinternal and t.tgenabled <> 'D'
union all
select case c.contype when 'f' then 2 else 3 end, c.conname::text,
       case c.contype when 'f' then 'foreign key' else 'constraint' end,
       format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname),
       format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
from pg_constraint c
where (c.contype in ('p', 'u', 'x') and c.conrelid in (select id from loaded))
   or (c.contype = 'f' and (c.conrelid in (select id from loaded) or c.confrelid in (select id from loaded)))
union all
select 4, i.indexrelid::regclass::text, 'index',
       format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
from pg_index i
join loaded l on l.id = i.indrelid
where not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
order by 1, 2

-- name: log_load
-- The one line in the change log that stands for all that the triggers would have written.
insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span)
select 'system', $1::uuid, 'bulk', $1::uuid, 'load', tstzrange(min(least(start_time, recurrence_id)), max(span_end), '[]')
from events
