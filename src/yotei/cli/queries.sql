-- name: is_empty
-- Whether there is nobody and nothing in the database yet.
select not exists (select from users) and not exists (select from events) as empty

-- name: find_demo
-- The person of the demo data ($1), and of their calendars the one that has most events around now.
select u.id, u.name, u.email, m.calendar_id
from calendar_members m
join users u on u.id = m.user_id and u.deactivated_at is null
join calendars c on c.id = m.calendar_id and c.deleted_at is null
cross join lateral (
  select count(*) as n
  from events e
  where e.calendar_id = c.id and e.deleted_at is null
    and e.span_end > now() - interval '15 days' and e.start_time < now() + interval '15 days'
) busy
where u.email = $1::text and m.role in ('OWNER', 'WRITER')
order by busy.n desc, m.calendar_id
limit 1

-- name: has_admin
-- Whether anybody may add people over the API.
select exists (select from users where is_admin and deactivated_at is null) as has_admin
