-- name: list_resources
-- Resources by name, after a place in that order. $1 kind, $2 seats at least, $3 features that it must all have,
-- $4 $5 name and id of the last one shown, $6 how many.
select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
       r.setup_minutes, r.teardown_minutes, r.opening_hours::text as opening_hours, r.booking, r.version
from resources r
where r.deleted_at is null
  and ($1::text is null or r.kind = $1)
  and ($2::integer is null or r.seats >= $2)
  and r.features @> $3::text[]
  and ($4::text is null or (r.name, r.id) > ($4, $5::uuid))
order by r.name, r.id
limit $6::integer

-- name: load_resources
-- Resources ($1), deleted ones too, and when they are blocked on days of UTC: for each pair of a resource ($2) and a day ($3) the
-- confirmed reservations that touch it. With $4 all that are not deleted, $5 at most and one more, and the days $6 of each,
-- unless that makes more than $7. As JSON texts, with the snapshot that they were read under.
with listed as materialized (
  select r.id from resources r where $4::boolean and r.deleted_at is null limit $5::integer + 1
)
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select coalesce(json_agg(id), '[]') from listed)::text as listed,
       (select coalesce(json_agg(k), '[]')
        from (select row_to_json(s) as resource, r.deleted_at is not null as is_deleted
              from resources r
              cross join lateral (select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
                                         r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version) s
              where r.id = any(array(select unnest($1::uuid[]) union select id from listed))) k)::text as resources,
       (select coalesce(json_agg(d), '[]')
        from (select q.resource_id, q.day,
                     (select coalesce(json_agg(json_build_array(v.id, lower(v.blocked), upper(v.blocked)) order by v.blocked, v.id), '[]')
                      from reservations v
                      where v.resource_id = q.resource_id and v.status = 'CONFIRMED'
                        and v.blocked && tstzrange(q.day::timestamp at time zone 'UTC', (q.day + 1)::timestamp at time zone 'UTC')) as holds
              from (select resource_id, day from unnest($2::uuid[], $3::date[]) q (resource_id, day)
                    union
                    select l.id, d.day from listed l cross join unnest($6::date[]) d (day)
                    where (select count(*) from listed) * cardinality($6) <= $7::integer) q) d)::text as days

-- name: select_availability
-- The resources that were asked for, by id or by filter, each with the blocked periods of its units that touch the
-- window, as one JSON text. $1 ids or null, $2 kind, $3 seats at least, $4 features, $5 window start, $6 window end,
-- $7 how many resources, $8 $9 name and id of the last one shown. The exclusion constraint's own GiST index answers `blocked && window` for each resource.
select coalesce(json_agg(s), '[]')::text as resources
from (
  select row_to_json(r) as resource, b.blocked
  from (
    select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
           r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version
    from resources r
    where r.deleted_at is null
      and ($1::uuid[] is null or r.id = any($1))
      and ($2::text is null or r.kind = $2)
      and ($3::integer is null or r.seats >= $3)
      and r.features @> $4::text[]
      and ($8::text is null or (r.name, r.id) > ($8, $9::uuid))
    order by r.name, r.id
    limit $7::integer
  ) r
  cross join lateral (
    select coalesce(json_agg(p), '[]') as blocked
    from (select lower(v.blocked) as start, upper(v.blocked) as end
          from reservations v
          where v.resource_id = r.id and v.status = 'CONFIRMED'
            and v.blocked && tstzrange($5::timestamptz, $6::timestamptz)
          order by 1, 2) p
  ) b
  order by r.name, r.id
) s

-- name: insert_resource
-- A resource.
insert into resources (id, name, kind, description, location, tzid, seats, features, concurrent_bookings, setup_minutes,
                       teardown_minutes, opening_hours, booking)
values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::integer, $8::text[], $9::integer, $10::integer, $11::integer,
        $12::text::jsonb, $13::text)

-- name: lock_resource
-- A resource, locked against everybody who books it.
select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
       r.setup_minutes, r.teardown_minutes, r.opening_hours::text as opening_hours, r.booking, r.version,
       r.deleted_at is not null as is_deleted
from resources r
where r.id = $1::uuid
for update

-- name: update_resource
-- All that is said of a resource.
update resources
set name = $2::text, kind = $3::text, description = $4::text, location = $5::text, tzid = $6::text, seats = $7::integer,
    features = $8::text[], concurrent_bookings = $9::integer, setup_minutes = $10::integer, teardown_minutes = $11::integer,
    opening_hours = $12::text::jsonb, booking = $13::text
where id = $1::uuid

-- name: set_resource_deleted
-- Deletes a resource, or brings it back.
update resources set deleted_at = case when $2::boolean then now() end where id = $1::uuid

-- name: is_booked
-- Whether a resource ($1) is booked after $2, on a unit from $3 on.
select exists (select from reservations v
               where v.resource_id = $1::uuid and v.status = 'CONFIRMED' and v.unit >= $3::integer
                 and v.blocked && tstzrange($2::timestamptz, null)) as is_booked

-- name: get_resource_role
-- What somebody is in a resource.
select role from resource_members where resource_id = $1::uuid and user_id = $2::uuid

-- name: list_resource_members
-- Members of resources ($1), managers first, at most $3 of each, and what the viewer ($2) is there. A resource that is there
-- has a row, also without members.
select r.id as resource_id, (select m.role from resource_members m where m.resource_id = r.id and m.user_id = $2::uuid) as own_role,
       s.user_id, s.name, s.email, s.avatar_url, s.role, s.created_at
from resources r
left join lateral (
  select m.user_id, u.name, case when u.erased_at is null then u.email end as email, u.avatar_url, m.role, m.created_at
  from resource_members m
  join users u on u.id = m.user_id
  where m.resource_id = r.id
  order by m.role desc, u.name, m.user_id
  limit $3::integer
) s on true
where r.id = any($1::uuid[]) and r.deleted_at is null
order by r.id, s.role desc, s.name, s.user_id

-- name: put_resource_member
-- Gives an active person a role in a resource, or another one; no row comes back when there is no such person.
insert into resource_members (resource_id, user_id, role)
select $1::uuid, u.id, $3::text from users u where u.id = $2::uuid and u.deactivated_at is null
on conflict (resource_id, user_id) do update set role = excluded.role
returning user_id

-- name: delete_resource_member
-- Takes the role away; no row comes back when there was none.
delete from resource_members where resource_id = $1::uuid and user_id = $2::uuid returning user_id
