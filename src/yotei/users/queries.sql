-- name: authenticate
-- Token and person in one look. $1 hash of the token, $2 $3 id or e-mail of the one it is to act for (nulls: its own user), $4 now.
-- A row comes back for every token that is good by itself; `acts` says whether the person it is to act for is there.
-- One key for whom it acts for: with a choice of conditions the plan for any parameters would read all people.
select t.id as token_id, t.kind, t.scopes, a.id as user_id, a.tzid, a.is_admin, a.id is not null as acts,
       t.user_id as owner_id, t.expires_at
from tokens t
join users o on o.id = t.user_id and o.deactivated_at is null
left join users a
  on a.deactivated_at is null
 and a.id = case when $2::uuid is null and $3::text is null then t.user_id
                 when t.kind = 'SERVICE' then coalesce($2, (select u.id from users u where u.email = $3)) end
where t.token_hash = $1::bytea and t.revoked_at is null and (t.expires_at is null or t.expires_at > $4::timestamptz)

-- name: list_tokens
-- Tokens of one person, the newest first; bounded by how many one may have.
select id, user_id, kind, name, scopes, created_at, expires_at, revoked_at
from tokens
where user_id = $1::uuid
order by created_at desc, id desc
limit $2::integer

-- name: lock_active_user
-- A person who is active, locked. Alone: what the same statement counts, it counts as of before it waited for the lock.
select id from users where id = $1::uuid and deactivated_at is null for no key update

-- name: count_live_tokens
-- How many tokens of this person still work at $2.
select count(*) as live
from tokens
where user_id = $1::uuid and revoked_at is null and (expires_at is null or expires_at > $2::timestamptz)

-- name: insert_token
-- A token by its hash.
insert into tokens (id, user_id, kind, token_hash, name, scopes, expires_at)
values ($1::uuid, $2::uuid, $3::text, $4::bytea, $5::text, $6::text[], $7::timestamptz)
returning id, user_id, kind, name, scopes, created_at, expires_at, revoked_at

-- name: revoke_token
-- Ends a token, once; $2 whose it must be, null for anybody's. Already revoked ones are found and left as they are.
update tokens
set revoked_at = coalesce(revoked_at, now())
where id = $1::uuid and ($2::uuid is null or user_id = $2)
returning id

-- name: revoke_tokens_by_name
-- Ends all tokens of one person that carry a name.
update tokens set revoked_at = now() where user_id = $1::uuid and name = $2::text and revoked_at is null

-- name: load_users
-- People by id, as one JSON text, and the snapshot that they were read under.
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select coalesce(json_agg(p), '[]')
        from (select id, case when erased_at is null then email end as email, name, avatar_url, tzid, working_hours, is_admin,
                     deactivated_at is null as is_active, version, created_at, updated_at
              from users
              where id = any($1::uuid[])) p)::text as people

-- name: load_token
-- A token by its hash, whatever has become of it, and whose it is, as JSON texts; null when there is none.
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select row_to_json(t)
        from (select id, user_id, kind, scopes, expires_at, revoked_at from tokens where token_hash = $1::bytea) t)::text as token,
       (select row_to_json(p)
        from (select u.id, case when u.erased_at is null then u.email end as email, u.name, u.avatar_url, u.tzid, u.working_hours, u.is_admin,
                     u.deactivated_at is null as is_active, u.version, u.created_at, u.updated_at
              from tokens t
              join users u on u.id = t.user_id
              where t.token_hash = $1) p)::text as owner

-- name: find_user
-- One person by address.
select id, email, name, avatar_url, tzid, working_hours::text as working_hours, is_admin,
       deactivated_at is null as is_active, version, created_at, updated_at, erased_at is not null as is_erased
from users
where email = $1::text

-- name: list_users
-- Everybody by id, after $1.
select id, email, name, avatar_url, tzid, working_hours::text as working_hours, is_admin,
       deactivated_at is null as is_active, version, created_at, updated_at, erased_at is not null as is_erased
from users
where id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
order by id
limit $2::integer

-- name: insert_user
-- A person; no row comes back when the address is taken.
insert into users (id, email, name, avatar_url, tzid, is_admin)
values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::boolean)
on conflict on constraint users_email_key do nothing
returning id

-- name: adopt_invitations
-- Invitations to an address are those of the person who has it now.
update attendees set user_id = $1::uuid where email = $2::text and user_id is null

-- name: lock_user
-- A person who is not erased, locked.
select id, email, name, avatar_url, tzid, working_hours::text as working_hours, is_admin,
       deactivated_at is null as is_active, version, created_at, updated_at, false as is_erased
from users
where id = $1::uuid and erased_at is null
for no key update

-- name: update_user
-- What a person says of themself, and whether they are an administrator.
update users
set name = $2::text, avatar_url = $3::text, tzid = $4::text, working_hours = $5::text::jsonb, is_admin = $6::boolean
where id = $1::uuid

-- name: lock_admins
-- The active administrators, locked in one order: two requests cannot each take away the other of the last two.
select id from users where is_admin and deactivated_at is null order by id for update

-- name: lock_people
-- Nobody else adds or changes people until the transaction ends; rows that refer to people can still be written.
lock table users in share row exclusive mode

-- name: set_active
-- Deactivates ($2 false) or reactivates a person who is not erased; gives back whether there is one.
update users
set deactivated_at = case when $2::boolean then null else coalesce(deactivated_at, now()) end
where id = $1::uuid and erased_at is null
returning id

-- name: erase_user
-- Removes all that says who somebody is. The one statement that must know every column with personal data, those of
-- other rooms included; what they organised and answered stays, by nobody. Invitations that were sent to the address
-- before it had an account are found by it, and one event may hold several of one person, so those are numbered.
-- Content lines kept of a file go when an address of theirs is anywhere in them, and the events of the personal calendar,
-- which ends with its person, lose their words; that looks at all events, and nobody is erased often.
-- Comes back for an erased person too, of whom nothing is left to change.
with person as (
  select id, email from users where id = $1::uuid and erased_at is null for update
),
addresses as (
  select email from person union select email from attendees where user_id in (select id from person)
),
gone_words as (
  update events e
  set title = case when g.is_own then '(erased)' else e.title end,
      description = case when g.is_own then null else e.description end,
      location = case when g.is_own then null else e.location end,
      url = case when g.is_own then null else e.url end,
      properties = case when g.is_own then '{}'
                        else array(select line from unnest(e.properties) with ordinality l(line, place)
                                   where not exists (select from addresses a where position(a.email in lower(l.line)) > 0)
                                   order by place) end
  from (select o.id, coalesce(c.personal_for in (select id from person), false) as is_own
        from events o
        join calendars c on c.id = o.calendar_id
        where c.personal_for in (select id from person)
           or (o.properties <> '{}'
               and exists (select from unnest(o.properties) line, addresses a where position(a.email in lower(line)) > 0))) g
  where e.id = g.id
),
gone_tokens as (delete from tokens where user_id in (select id from person)),
gone_state as (delete from event_user_state where user_id in (select id from person)),
gone_calendar as (
  update calendars set deleted_at = coalesce(deleted_at, now()), name = 'Erased', description = null
  where personal_for in (select id from person)
),
gone_invitations as (
  update attendees a
  set email = 'erased-' || $1::uuid || case when i.place > 1 then '-' || i.place else '' end || '@erased.invalid',
      name = null, comment = null
  from (select o.event_id, o.email, row_number() over (partition by o.event_id order by o.user_id, o.email) as place
        from attendees o
        where o.user_id in (select id from person) or o.email in (select email from person)) i
  where a.event_id = i.event_id and a.email = i.email
),
gone_person as (
  update users
  set email = 'erased-' || id || '@erased.invalid', name = $2::text, avatar_url = null, tzid = 'UTC', working_hours = '{}', is_admin = false,
      deactivated_at = coalesce(deactivated_at, now()), erased_at = coalesce(erased_at, now())
  where id in (select id from person)
)
select id from users where id = $1::uuid
