-- name: list_calendars
-- Calendars of one member by name, after a place in that order.
select c.id, c.name, c.description, c.color, c.tzid, c.personal_for is not distinct from m.user_id as is_personal, m.role,
       c.version, c.created_at, c.updated_at
from calendar_members m
join calendars c on c.id = m.calendar_id
where m.user_id = $1::uuid and c.deleted_at is null and ($2::text is null or (c.name collate "C", c.id) > ($2, $3::uuid))
order by c.name collate "C", c.id
limit $4::integer

-- name: get_calendars
-- Calendars by id, as one member sees them; those of which they are no member are left out.
select c.id, c.name, c.description, c.color, c.tzid, c.personal_for is not distinct from m.user_id as is_personal, m.role,
       c.version, c.created_at, c.updated_at
from calendar_members m
join calendars c on c.id = m.calendar_id
where m.user_id = $1::uuid and m.calendar_id = any($2::uuid[]) and c.deleted_at is null

-- name: list_members
-- Members of calendars, owners first, at most $3 of each. The viewer ($1) must be a member; one who sees busy times only is
-- shown the owners, of whom there is always one: a calendar without rows cannot be read.
select v.calendar_id, s.user_id, s.name, s.email, s.avatar_url, s.role, s.created_at, s.tzid, s.working_hours::text as working_hours,
       s.is_admin, s.is_active, s.version, s.user_created_at, s.user_updated_at
from calendar_members v
join calendars c on c.id = v.calendar_id and c.deleted_at is null
cross join lateral (
  select m.user_id, u.name, case when u.erased_at is null then u.email end as email, u.avatar_url, m.role, m.created_at, u.tzid,
         u.working_hours, u.is_admin, u.deactivated_at is null as is_active, u.version, u.created_at as user_created_at,
         u.updated_at as user_updated_at,
         array_position(array['OWNER', 'WRITER', 'READER', 'FREE_BUSY'], m.role) as rank
  from calendar_members m
  join users u on u.id = m.user_id
  where m.calendar_id = v.calendar_id and (v.role <> 'FREE_BUSY' or m.role = 'OWNER')
  order by rank, u.name collate "C", m.user_id
  limit $3::integer
) s
where v.user_id = $1::uuid and v.calendar_id = any($2::uuid[])
order by v.calendar_id, s.rank, s.name collate "C", s.user_id

-- name: load_memberships
-- What people ($1) are members of, at most $2 calendars each, and along with it what is said of these calendars and of others ($3);
-- as JSON texts, with the snapshot that they were read under. Deleted calendars are left out of what is said.
with member as materialized (
  select u.id as user_id, m.calendar_id, m.role
  from unnest($1::uuid[]) u (id)
  cross join lateral (select m.calendar_id, m.role from calendar_members m where m.user_id = u.id limit $2::integer + 1) m
)
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select coalesce(json_agg(m), '[]') from member m)::text as members,
       (select coalesce(json_agg(c), '[]')
        from (select c.id, c.name, c.description, c.color, c.tzid, c.personal_for, c.version, c.created_at, c.updated_at
              from (select calendar_id as id from member union select unnest($3::uuid[])) k
              cross join lateral (select c.* from calendars c where c.id = k.id and c.deleted_at is null offset 0) c) c)::text as calendars

-- name: load_members
-- Who shares calendars ($1) that are not deleted, at most $2 of each and one more, and along with it who they are; as JSON texts.
with member as materialized (
  select c.id as calendar_id, m.user_id, m.role, m.created_at
  from calendars c
  cross join lateral (select m.user_id, m.role, m.created_at from calendar_members m where m.calendar_id = c.id limit $2::integer + 1) m
  where c.id = any($1::uuid[]) and c.deleted_at is null
)
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select coalesce(json_agg(m), '[]') from member m)::text as members,
       (select coalesce(json_agg(p), '[]')
        from (select u.id, case when u.erased_at is null then u.email end as email, u.name, u.avatar_url, u.tzid, u.working_hours, u.is_admin,
                     u.deactivated_at is null as is_active, u.version, u.created_at, u.updated_at
              from (select distinct user_id as id from member) k
              cross join lateral (select u.* from users u where u.id = k.id offset 0) u) p)::text as people

-- name: insert_calendar
-- A calendar and its owner.
with calendar as (
  insert into calendars (id, name, description, color, tzid, personal_for)
  values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::uuid)
  returning id
)
insert into calendar_members (user_id, calendar_id, role) select $7::uuid, id, 'OWNER' from calendar

-- name: lock_calendar
-- The calendar, locked against everybody who writes it, its members or its events. Roles are read after it, not with it: the
-- same statement reads them as of before it waited.
select name, description, color, tzid, personal_for, version, deleted_at is not null as is_deleted
from calendars
where id = $1::uuid
for update

-- name: get_standing
-- What the viewer ($2) and somebody else ($3) are in a calendar; whether that person can sign in, and whether there is an owner
-- besides them who can.
select (select m.role from calendar_members m where m.calendar_id = $1::uuid and m.user_id = $2::uuid) as own_role,
       (select m.role from calendar_members m where m.calendar_id = $1 and m.user_id = $3::uuid) as other_role,
       exists (select from users u where u.id = $3 and u.deactivated_at is null) as is_active,
       exists (select from calendar_members m
               join users u on u.id = m.user_id and u.deactivated_at is null
               where m.calendar_id = $1 and m.role = 'OWNER' and m.user_id <> $3) as has_other_owner

-- name: update_calendar
-- What a calendar is called and looks like.
update calendars set name = $2::text, description = $3::text, color = $4::text, tzid = $5::text where id = $1::uuid

-- name: set_calendar_deleted
-- Deletes a calendar, or brings it back.
update calendars set deleted_at = case when $2::boolean then now() end where id = $1::uuid

-- name: put_member
-- Share a calendar with somebody, or change their role.
insert into calendar_members (user_id, calendar_id, role)
values ($2::uuid, $1::uuid, $3::text)
on conflict (user_id, calendar_id) do update set role = excluded.role

-- name: delete_member
-- Somebody no longer shares a calendar.
delete from calendar_members where calendar_id = $1::uuid and user_id = $2::uuid

-- name: get_calendar_with_members
-- One calendar ($2) as one member ($1) sees it, and these of its members ($3), as JSON. One who sees busy times only is shown the
-- owners and themself.
select c.id, c.name, c.description, c.color, c.tzid, c.personal_for is not distinct from v.user_id as is_personal, v.role,
       c.version, c.created_at, c.updated_at,
       (select coalesce(json_agg(s), '[]')
        from (select m.role, m.created_at,
                     (select row_to_json(p)
                      from (select u.id, u.name, case when u.erased_at is null then u.email end as email, u.avatar_url, u.tzid,
                                   u.working_hours, u.is_admin, u.deactivated_at is null as is_active, u.version, u.created_at,
                                   u.updated_at) p) as user
              from calendar_members m
              join users u on u.id = m.user_id
              where m.calendar_id = v.calendar_id and m.user_id = any($3::uuid[])
                and (v.role <> 'FREE_BUSY' or m.role = 'OWNER' or m.user_id = v.user_id)) s)::text as members
from calendar_members v
join calendars c on c.id = v.calendar_id and c.deleted_at is null
where v.user_id = $1::uuid and v.calendar_id = $2::uuid
