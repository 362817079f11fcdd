-- name: select_events
-- The one read of events: a list, an agenda and a single event are the same question with other grounds for being
-- asked. Returns one row: the calendars that the viewer reads by right of membership, how many rows of events are
-- concerned, and, unless these are more than $9, the events with all that is shown of them (attendees, people, rooms), as
-- JSON texts. What the viewer may see of them, their order and the page are not decided here.
--
--  $1 viewer           $2 calendars, by id      $3 the viewer's agenda too   $4 events, by id, whatever the window
--  $5 window start     $6 window end            $7 $8 the same as a wall clock, for all-day and floating events
--  $9 rows at most
--  $10 $11 $12 what to bring along, null for nothing: people, calendars, resources, those that the events name and those of
--  these ids (calendars: of which the viewer is a member)
--  $13 of $4 their series and its exceptions too, as of those that are found by the window
--
-- An override is found by its own span, and, through its series, by the instance that it replaces. One that moves what
-- follows may bring instances from anywhere into the window: then all overrides of its series are needed.
--
-- `asked` hides the values from the planner: with them it plans for 1.7 ms what runs for as long, on every call; without
-- them its plan for any values costs no more by its own reckoning, so from the sixth call on it keeps that one.
-- `offset 0` keeps a look-up by key a look-up: joined, the planner may choose to walk all people in order.
with asked as materialized (
  select $1::uuid as viewer_id, $2::uuid[] as calendar_ids, $3::boolean as with_agenda, $4::uuid[] as event_ids,
         $5::timestamptz as start_time, $6::timestamptz as end_time, $7::timestamptz as wall_start, $8::timestamptz as wall_end,
         least($5, $7) as first, greatest($6, $8) as last, $9::integer as rows_max,
         $10::uuid[] as people, $11::uuid[] as calendars, $12::uuid[] as resources, $13::boolean as with_exceptions
),
member as materialized (
  select c.id, m.role, q.first, q.last
  from asked q
  join calendar_members m on m.user_id = q.viewer_id and (q.with_agenda or m.calendar_id = any(q.calendar_ids))
  join calendars c on c.id = m.calendar_id
  where c.deleted_at is null
),
touched as materialized (
  select e.id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false as named
  from member c
  join events e on e.calendar_id = c.id and e.span_end >= c.first and e.start_time < c.last
  where e.deleted_at is null
  union all
  select e.id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false
  from asked q
  join events e on e.organizer_id = q.viewer_id and e.span_end >= q.first and e.start_time < q.last
  where q.with_agenda and e.deleted_at is null
  union all
  select e.id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false
  from asked q
  join attendees i on i.user_id = q.viewer_id and i.span_end >= q.first and i.start_time < q.last
  cross join lateral (select e.* from events e where e.id = i.event_id and e.deleted_at is null offset 0) e
  where q.with_agenda
  union all
  select e.id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, true
  from asked q
  join events e on e.id = any(q.event_ids)
  where e.deleted_at is null
),
hit as materialized (
  select t.id, t.series_id, t.named, t.rrule is not null or t.rdates <> '{}' as recurs
  from asked q
  cross join touched t
  where t.named
     or case when t.all_day or t.floating then t.start_time < q.wall_end and (t.span_end > q.wall_start or t.start_time >= q.wall_start)
             else t.start_time < q.end_time and (t.span_end > q.start_time or t.start_time >= q.start_time) end
),
series as (
  select h.id from asked q cross join hit h where h.recurs and (q.with_exceptions or not h.named)
  union
  select h.series_id from asked q cross join hit h where h.series_id is not null and (q.with_exceptions or not h.named)
),
chosen as materialized (
  select id from hit
  union
  select id from series
  union
  select o.id
  from asked q
  cross join (
    select o.id, o.recurrence_id, o.start_time, o.span_end, m.duration, bool_or(o.this_and_future) over (partition by s.id) as moves
    from series s
    cross join lateral (select m.end_time - m.start_time as duration from events m where m.id = s.id offset 0) m
    cross join lateral (select o.id, o.recurrence_id, o.start_time, o.span_end, o.this_and_future
                        from events o where o.series_id = s.id and o.deleted_at is null offset 0) o
  ) o
  where o.moves
     or (o.recurrence_id < q.last and o.recurrence_id >= q.first - o.duration)
     or (o.start_time < q.last and o.span_end >= q.first)
),
counted as materialized (
  select count(*) as rows from chosen
),
listed as (
  select e.id, e.calendar_id, e.organizer_id
  from asked q
  join counted n on n.rows <= q.rows_max
  cross join chosen h
  cross join lateral (select e.id, e.calendar_id, e.organizer_id from events e where e.id = h.id offset 0) e
),
shown as (
  select e.id, e.calendar_id, e.uid, e.sequence, e.title, e.description, e.location, e.url,
         e.start_time, e.end_time, nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day, e.floating,
         e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future,
         e.status, e.transparency, e.visibility, e.version, e.created_at, e.updated_at,
         (select m.role from calendar_members m where m.calendar_id = e.calendar_id and m.user_id = q.viewer_id) as role,
         e.organizer_id, o.name as organizer_name, o.email as organizer_email, o.avatar_url as organizer_avatar_url,
         (select coalesce(json_agg(a), '[]')
          from (select a.email, a.name, a.user_id, u.name as user_name, case when u.erased_at is null then u.email end as user_email,
                       u.avatar_url, a.response_status, a.is_optional, a.comment
                from attendees a
                left join users u on u.id = a.user_id
                where a.event_id = e.id
                order by a.created_at, a.email) a) as attendees,
         (select coalesce(json_agg(b), '[]')
          from (select r.id, r.name, r.kind, v.recurrence_id, v.start_time, v.end_time, v.status = 'MISSED' as is_missed
                from reservations v
                join resources r on r.id = v.resource_id
                where v.event_id = e.id and v.status in ('CONFIRMED', 'MISSED')
                  and (v.recurrence_id is null
                       or (v.recurrence_id < q.last and v.recurrence_id >= q.first - (e.end_time - e.start_time)))
                order by v.start_time, r.id) b) as bookings,
         case when e.rrule is not null or e.rdates <> '{}'
              then (select min(w.booked_until) from event_resources w where w.event_id = e.id) end as booked_until
  from asked q
  join counted n on n.rows <= q.rows_max
  cross join chosen h
  cross join lateral (select e.* from events e where e.id = h.id and e.deleted_at is null offset 0) e
  cross join lateral (select o.name, case when o.erased_at is null then o.email end as email, o.avatar_url
                      from users o where o.id = e.organizer_id offset 0) o
  where (select c.deleted_at is null from calendars c where c.id = e.calendar_id)
)
select (select rows from counted) as rows,
       (select coalesce(json_agg(c), '[]') from (select id, role from member) c)::text as calendars,
       (select coalesce(json_agg(s), '[]') from shown s)::text as events,
       case when (select people is not null from asked) then
         (select coalesce(json_agg(p), '[]')
          from (select u.id, u.name, case when u.erased_at is null then u.email end as email, u.avatar_url, u.tzid, u.working_hours,
                       u.is_admin, u.deactivated_at is null as is_active, u.version, u.created_at, u.updated_at
                from (select unnest(people) as id from asked
                      union select e.organizer_id from listed e
                      union select a.user_id from listed e
                            cross join lateral (select a.user_id from attendees a where a.event_id = e.id offset 0) a) k
                cross join lateral (select u.* from users u where u.id = k.id offset 0) u) p)::text end as people,
       case when (select calendars is not null from asked) then
         (select coalesce(json_agg(c), '[]')
          from (select c.id, c.name, c.description, c.color, c.tzid, c.personal_for is not distinct from m.user_id as is_personal, m.role,
                       c.version, c.created_at, c.updated_at
                from (select unnest(calendars) as id from asked union select id from member union select e.calendar_id from listed e) k
                join calendar_members m on m.calendar_id = k.id and m.user_id = (select viewer_id from asked)
                join calendars c on c.id = k.id and c.deleted_at is null) c)::text end as known_calendars,
       case when (select resources is not null from asked) then
         (select coalesce(json_agg(r), '[]')
          from (select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
                       r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version
                from (select unnest(resources) as id from asked
                      union select v.resource_id from listed e
                            cross join lateral (select v.resource_id from reservations v where v.event_id = e.id offset 0) v) k
                cross join lateral (select r.* from resources r where r.id = k.id and r.deleted_at is null offset 0) r
               ) r)::text end as resources

-- name: load_units
-- Units of the cache, by what is asked of each kind, as JSON texts, with the snapshot that they were read under; and along with
-- events what is asked of them next: who is invited, people, resources, calendars.
--
--  $1 $2 months of calendars: the calendar and the first of the month, pair by pair      $3 rows of one at most
--  $4 single events           $5 events of which the attendees are asked
--  $6 $7 months of what concerns people: the person and the first of the month           $8 events in one at most
--  $9 people whose calendars are asked      $10 calendars of one at most
--  $11 months of an agenda, none where it is not asked for one: of all calendars of $9, and of others with something of $6
--  $12 calendars      $13 people      $14 resources
--  $15 events whose guests, $16 people, $17 resources that need not come along, being known
--
-- What a month holds is what `select_events` chooses for its time. Where part of a series lies in another calendar, or where
-- there is too much, the month says so and nothing else. Holds of a series are those of instances in the month; of a single
-- event asked by itself those from yesterday on. A row comes as an array, in the order of `keys.Kept`.
with asked as materialized (
  select $1::uuid[] as calendar_ids, $2::timestamptz[] as months, $3::integer as rows_max, $4::uuid[] as event_ids,
         $5::uuid[] as guests_of, $6::uuid[] as concerned, $7::timestamptz[] as concern_months, $8::integer as concerns_max,
         $9::uuid[] as members, $10::integer as memberships_max, $11::timestamptz[] as agenda_months,
         $12::uuid[] as summaries, $13::uuid[] as people, $14::uuid[] as resources,
         $15::uuid[] as guests_known, $16::uuid[] as people_known, $17::uuid[] as resources_known
),
membership as materialized (
  select u.id as user_id, m.calendar_id, m.role
  from asked q
  cross join unnest(q.members) u (id)
  cross join lateral (select m.calendar_id, m.role from calendar_members m where m.user_id = u.id limit q.memberships_max + 1) m
),
concern as materialized (
  select p.user_id, p.month, c.id, c.calendar_id
  from asked q
  cross join unnest(q.concerned, q.concern_months) p (user_id, month)
  cross join lateral (
    select e.id, e.calendar_id
    from events e
    where e.organizer_id = p.user_id and e.span_end >= p.month and e.start_time < p.month + interval '1 month' and e.deleted_at is null
    union
    select e.id, e.calendar_id
    from attendees i
    cross join lateral (select e.id, e.calendar_id from events e where e.id = i.event_id and e.deleted_at is null offset 0) e
    where i.user_id = p.user_id and i.span_end >= p.month and i.start_time < p.month + interval '1 month'
    limit q.concerns_max + 1
  ) c
),
month as materialized (
  select p.calendar_id, p.month, p.month + interval '1 month' as next
  from asked q
  cross join lateral (
    select calendar_id, month from unnest(q.calendar_ids, q.months) p (calendar_id, month)
    union
    select m.calendar_id, a.month
    from unnest(q.agenda_months) a (month)
    cross join lateral (
      select calendar_id from membership
      union
      select c.calendar_id
      from concern c
      where not exists (select from calendar_members o where o.calendar_id = c.calendar_id and o.user_id = c.user_id)
    ) m
  ) p
),
hit as materialized (
  select m.calendar_id, m.month, m.next, e.id, e.series_id, e.recurs
  from asked q
  cross join month m
  cross join lateral (
    select e.id, e.series_id, e.rrule is not null or e.rdates <> '{}' as recurs
    from events e
    where e.calendar_id = m.calendar_id and e.span_end >= m.month and e.start_time < m.next and e.deleted_at is null
    limit q.rows_max + 1
  ) e
),
series as (
  select calendar_id, month, next, id from hit where recurs
  union
  select calendar_id, month, next, series_id from hit where series_id is not null
),
chosen as materialized (
  select calendar_id, month, next, id from hit
  union
  select calendar_id, month, next, id from series
  union
  select o.calendar_id, o.month, o.next, o.id
  from (
    select s.calendar_id, s.month, s.next, o.id, o.recurrence_id, o.start_time, o.span_end, m.duration,
           bool_or(o.this_and_future) over (partition by s.calendar_id, s.month, s.id) as moves
    from series s
    cross join lateral (select m.end_time - m.start_time as duration from events m where m.id = s.id offset 0) m
    cross join lateral (select o.id, o.recurrence_id, o.start_time, o.span_end, o.this_and_future
                        from events o where o.series_id = s.id and o.deleted_at is null offset 0) o
  ) o
  where o.moves
     or (o.recurrence_id < o.next and o.recurrence_id >= o.month - o.duration)
     or (o.start_time < o.next and o.span_end >= o.month)
),
part as materialized (
  select h.calendar_id, h.month, h.next, e.id, e.organizer_id, e.calendar_id <> h.calendar_id as is_elsewhere, e.deleted_at is not null as is_deleted
  from chosen h
  cross join lateral (select e.id, e.organizer_id, e.calendar_id, e.deleted_at from events e where e.id = h.id offset 0) e
),
kept as materialized (
  select m.calendar_id, m.month, m.next
  from asked q
  cross join month m
  left join part p on p.calendar_id = m.calendar_id and p.month = m.month
  group by m.calendar_id, m.month, m.next, q.rows_max
  having count(p.id) <= q.rows_max and not coalesce(bool_or(p.is_elsewhere), false)
),
wanted as materialized (
  select p.calendar_id, p.month, p.next, p.id
  from kept k
  join part p on p.calendar_id = k.calendar_id and p.month = k.month and not p.is_deleted
  union all
  select null, now() - interval '1 day', 'infinity', e.id
  from asked q
  join events e on e.id = any(q.event_ids)
  where e.deleted_at is null
),
shown as materialized (
  select w.calendar_id, w.month, e.id, e.calendar_id as own_calendar_id, e.organizer_id,
         json_build_array(
           e.id, e.start_time, e.end_time, nullif(e.span_end, 'infinity'), e.tzid, e.all_day, e.floating,
           e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future, e.status,
           e.uid, e.sequence, e.title, e.description, e.location, e.url, e.transparency, e.visibility,
           e.calendar_id, e.organizer_id, e.version, e.created_at, e.updated_at,
           case when e.rrule is not null or e.rdates <> '{}'
                then (select min(b.booked_until) from event_resources b where b.event_id = e.id) end,
           (select coalesce(json_agg(json_build_array(v.id, v.resource_id, v.recurrence_id, v.start_time, v.end_time, v.status = 'MISSED')), '[]')
            from reservations v
            where v.event_id = e.id and v.status in ('CONFIRMED', 'MISSED')
              and (v.recurrence_id is null or (v.recurrence_id < w.next and v.recurrence_id >= w.month - (e.end_time - e.start_time))))
         ) as kept
  from wanted w
  cross join lateral (select e.* from events e where e.id = w.id offset 0) e
),
event as materialized (
  select id from shown
  except select unnest(guests_known) from asked
  union select unnest(guests_of) from asked
),
guest as materialized (
  select a.event_id, a.email, a.name, a.user_id, a.response_status, a.is_optional, a.comment, a.created_at
  from event e
  cross join lateral (select a.* from attendees a where a.event_id = e.id offset 0) a
)
select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as is_standby,
       (select coalesce(json_agg(m), '[]')
        from (select m.calendar_id, to_char(m.month at time zone 'UTC', 'YYYY-MM') as month, k.calendar_id is not null as is_kept,
                     (select coalesce(json_agg(s.kept), '[]') from shown s where s.calendar_id = m.calendar_id and s.month = m.month) as rows
              from month m
              left join kept k on k.calendar_id = m.calendar_id and k.month = m.month) m)::text as months,
       (select coalesce(json_agg(s.kept), '[]') from shown s where s.calendar_id is null)::text as events,
       (select coalesce(json_agg(g), '[]')
        from (select g.event_id as id,
                     json_agg(json_build_array(g.email, g.name, g.user_id, g.response_status, g.is_optional, g.comment)
                              order by g.created_at, g.email) as guests
              from guest g
              group by g.event_id) g)::text as guests,
       (select coalesce(json_agg(c), '[]')
        from (select c.user_id, to_char(c.month at time zone 'UTC', 'YYYY-MM') as month, c.id as event_id, c.calendar_id from concern c) c)::text as concerns,
       (select coalesce(json_agg(m), '[]') from membership m)::text as members,
       (select coalesce(json_agg(c), '[]')
        from (select c.id, c.name, c.description, c.color, c.tzid, c.personal_for, c.version, c.created_at, c.updated_at
              from (select calendar_id as id from membership
                    union select calendar_id from month
                    union select own_calendar_id from shown where calendar_id is null
                    union select unnest(summaries) from asked) k
              cross join lateral (select c.* from calendars c where c.id = k.id and c.deleted_at is null offset 0) c) c)::text as calendars,
       (select coalesce(json_agg(p), '[]')
        from (select u.id, case when u.erased_at is null then u.email end as email, u.name, u.avatar_url, u.tzid, u.working_hours, u.is_admin,
                     u.deactivated_at is null as is_active, u.version, u.created_at, u.updated_at
              from (select organizer_id as id from shown
                    union select user_id from guest
                    except select unnest(people_known) from asked
                    union select unnest(people) from asked) k
              cross join lateral (select u.* from users u where u.id = k.id offset 0) u) p)::text as people,
       (select coalesce(json_agg(k), '[]')
        from (select row_to_json(s) as resource, r.deleted_at is not null as is_deleted
              from (select v.resource_id as id
                    from (select distinct id from shown) e
                    cross join lateral (select v.resource_id from reservations v
                                        where v.event_id = e.id and v.status in ('CONFIRMED', 'MISSED') offset 0) v
                    except select unnest(resources_known) from asked
                    union select unnest(resources) from asked) k
              cross join lateral (select r.* from resources r where r.id = k.id offset 0) r
              cross join lateral (select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
                                         r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version) s) k)::text as resources

-- name: answer_invitation
-- One person's answer to an event that is there: touches one row of attendees (HOT), not the event. The share lock is on what
-- `lock_for_writing` locks: an answer and an edit take turns, answers do not wait for each other. Says whether the event
-- recurs.
with locked as materialized (
  select m.id from events m where m.id = (select coalesce(e.series_id, e.id) from events e where e.id = $1::uuid) for share
)
update attendees a
set response_status = $3::text, comment = $4::text, responded_at = now()
from locked, events e
join calendars c on c.id = e.calendar_id
where a.event_id = $1 and a.user_id = $2::uuid and e.id = $1 and e.deleted_at is null and c.deleted_at is null
returning e.rrule is not null or e.rdates <> '{}' as recurs

-- name: answer_exceptions
-- The same answer to the exceptions of a series, after its lock was waited for: the last one may have been made meanwhile.
update attendees a
set response_status = $3::text, comment = $4::text, responded_at = now()
from events o
where o.series_id = $1::uuid and o.deleted_at is null and a.event_id = o.id and a.user_id = $2::uuid
returning a.event_id

-- name: lock_import
-- The calendar that is imported into, locked, so that two imports into it take turns; a file may take longer than a request.
select c.id, set_config('statement_timeout', '600000', true) as statement_timeout
from calendars c
where c.id = $1::uuid and c.deleted_at is null
for update

-- name: find_calendar
-- For the command line: a calendar by id ($1), or by name ($2) among those of one owner ($3), the oldest.
select c.id, c.name, c.tzid
from calendars c
where c.deleted_at is null
  and (c.id = $1::uuid
       or (c.name = $2::text and exists (select from calendar_members m where m.calendar_id = c.id and m.user_id = $3::uuid and m.role = 'OWNER')))
order by c.id
limit 1

-- name: select_people_by_email
-- Who is behind these addresses.
select id, email, name from users where email = any($1::text[]) and erased_at is null

-- name: select_content
-- What iCalendar says of events: those of one calendar ($1) with a UID of $2 (null: all), after the id $3, $4 at most; as JSON.
select coalesce(json_agg(s order by s.id), '[]')::text as events
from (
  select e.id, e.uid, e.sequence, e.title, e.description, e.location, e.url,
         e.start_time, e.end_time, nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day, e.floating,
         e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future, e.status, e.transparency, e.visibility,
         e.properties, e.created_at, e.updated_at, e.organizer_id, o.email as organizer_email, o.name as organizer_name,
         (select coalesce(json_agg(a), '[]')
          from (select a.email, coalesce(a.name, u.name) as name, a.name as own_name, a.response_status, a.is_optional
                from attendees a
                left join users u on u.id = a.user_id
                where a.event_id = e.id
                order by a.email) a) as attendees
  from (
    select id from (
      select e.id from events e where $2::text[] is null and e.calendar_id = $1::uuid and e.deleted_at is null
      union all
      select e.id from events e where $2 is not null and e.uid = any($2) and e.calendar_id = $1 and e.deleted_at is null
    ) either
    where $3::uuid is null or id > $3
    order by id
    limit $4::integer
  ) p
  cross join lateral (select e.* from events e where e.id = p.id offset 0) e
  join users o on o.id = e.organizer_id
) s

-- name: insert_imported
-- New rows from a file, as a JSON array ($2), into a calendar ($1); masters come before the overrides that name them.
insert into events (id, calendar_id, organizer_id, uid, sequence, title, description, location, url, start_time, end_time, span_end,
                    tzid, all_day, floating, rrule, rdates, exdates, series_id, recurrence_id, this_and_future, status, transparency,
                    visibility, properties, created_at, updated_at)
select r.id, $1::uuid, r.organizer_id, r.uid, r.sequence, r.title, r.description, r.location, r.url, r.start_time, r.end_time,
       coalesce(r.span_end, 'infinity'), r.tzid, r.all_day, r.floating, r.rrule, r.rdates, r.exdates, r.series_id, r.recurrence_id,
       r.this_and_future, r.status, r.transparency, r.visibility, r.properties, coalesce(r.created_at, now()), coalesce(r.updated_at, now())
from jsonb_to_recordset($2::jsonb)
  as r(id uuid, organizer_id uuid, uid text, sequence integer, title text, description text, location text, url text,
       start_time timestamptz, end_time timestamptz, span_end timestamptz, tzid text, all_day boolean, floating boolean, rrule text,
       rdates timestamptz[], exdates timestamptz[], series_id uuid, recurrence_id timestamptz, this_and_future boolean, status text,
       transparency text, visibility text, properties text[], created_at timestamptz, updated_at timestamptz)

-- name: update_imported
-- Rows that a file has a later word on, by id, as a JSON array ($2), in a calendar ($1).
update events e
set organizer_id = r.organizer_id, sequence = r.sequence, title = r.title, description = r.description, location = r.location,
    url = r.url, start_time = r.start_time, end_time = r.end_time, span_end = coalesce(r.span_end, 'infinity'), tzid = r.tzid,
    all_day = r.all_day, floating = r.floating, rrule = r.rrule, rdates = r.rdates, exdates = r.exdates, series_id = r.series_id,
    this_and_future = r.this_and_future, status = r.status, transparency = r.transparency, visibility = r.visibility,
    properties = r.properties
from jsonb_to_recordset($2::jsonb)
  as r(id uuid, organizer_id uuid, sequence integer, title text, description text, location text, url text,
       start_time timestamptz, end_time timestamptz, span_end timestamptz, tzid text, all_day boolean, floating boolean, rrule text,
       rdates timestamptz[], exdates timestamptz[], series_id uuid, this_and_future boolean, status text,
       transparency text, visibility text, properties text[])
where e.id = r.id and e.calendar_id = $1::uuid

-- name: delete_uninvited
-- Attendees whom a file no longer names: of the events $1, all but the pairs ($2, $3).
delete from attendees a
where a.event_id = any($1::uuid[])
  and not exists (select from unnest($2::uuid[], $3::text[]) k(event_id, email) where k.event_id = a.event_id and k.email = a.email)

-- name: put_invited
-- Attendees as a file names them, as a JSON array ($1); rows that say so already are not touched.
insert into attendees as a (event_id, email, user_id, name, response_status, is_optional)
select r.event_id, r.email, r.user_id, r.name, r.response_status, r.is_optional
from jsonb_to_recordset($1::jsonb)
  as r(event_id uuid, email text, user_id uuid, name text, response_status text, is_optional boolean)
on conflict (event_id, email) do update
set user_id = excluded.user_id, name = excluded.name, response_status = excluded.response_status, is_optional = excluded.is_optional
where (a.user_id, a.name, a.response_status, a.is_optional)
      is distinct from (excluded.user_id, excluded.name, excluded.response_status, excluded.is_optional)

-- name: join_overrides
-- Overrides of these UIDs ($2) get the master that is there by now, and one that moves what follows a span that covers the
-- last instance it moves (25 hours more, as a wall-clock shift may cross a change of the zone's offset).
with found as (
  select o.id, m.id as series_id,
         case when o.this_and_future
              then greatest(o.end_time, m.span_end + greatest(o.end_time - o.recurrence_id, interval '0') + interval '25 hours')
              else o.end_time end as span_end
  from events m
  join events o on o.calendar_id = m.calendar_id and o.uid = m.uid and o.recurrence_id is not null and o.deleted_at is null
  where m.calendar_id = $1::uuid and m.uid = any($2::text[]) and m.recurrence_id is null and m.deleted_at is null
)
update events e
set series_id = f.series_id, span_end = f.span_end
from found f
where e.id = f.id and (e.series_id, e.span_end) is distinct from (f.series_id, f.span_end)

-- name: lock_for_writing
-- Locks for writers, in the one order: calendars ($1, and those of the events), then events ($2), each by id. A series is locked
-- by its master, for all of its overrides. `key share` on a calendar keeps it from being deleted meanwhile and nothing else.
-- What is to be decided on is read after this, not with it: the same statement would read it as of before it waited. So what
-- was locked comes back, to be compared with what is read: an event may have been moved meanwhile.
--
-- Here and below the values are hidden from the planner, as in `select_events`, and keys come as one array: `or` beside a
-- subquery would read the whole table.
with q as materialized (
  select $1::uuid[] as calendar_ids, $2::uuid[] as event_ids
),
asked as materialized (
  select e.id, coalesce(e.series_id, e.id) as master_id, e.calendar_id from q join events e on e.id = any(q.event_ids)
),
locked_calendars as materialized (
  select c.id from calendars c
  where c.id = any(array(select unnest(calendar_ids) from q union select calendar_id from asked))
  order by c.id
  for key share
),
locked_events as materialized (
  select e.id from events e
  where (select count(*) from locked_calendars) >= 0 and e.id = any(array(select master_id from asked))
  order by e.id
  for no key update
)
select array(select id from locked_calendars) as calendars, array(select id from locked_events) as events

-- name: load_for_writing
-- All that operations need to know, as JSON texts: the events $3 with the whole of their series, deleted ones too; the calendars
-- $2 and those of the events, with the role of the viewer ($1); people by address ($4) or id ($5); resources $6 and those that
-- the events want; who has the UIDs $8, or those of the events, in these calendars. `rows`: how many events that is; with
-- more than $7 none come.
with q as materialized (
  select $1::uuid as viewer_id, $2::uuid[] as calendar_ids, $3::uuid[] as event_ids, $4::text[] as emails, $5::uuid[] as user_ids,
         $6::uuid[] as resource_ids, $7::integer as rows_max, $8::text[] as uids
),
asked as materialized (
  select e.id, coalesce(e.series_id, e.id) as master_id from q join events e on e.id = any(q.event_ids)
),
part as materialized (
  select id from asked
  union
  select master_id from asked
  union
  select o.id from asked a join events o on o.series_id = a.master_id
),
counted as materialized (
  select count(*) as rows from part
),
event as materialized (
  select e.id, e.calendar_id, e.organizer_id, e.uid, e.sequence, e.title, e.description, e.location, e.url, e.start_time, e.end_time,
         nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day, e.floating, e.rrule, e.rdates, e.exdates, e.series_id,
         e.recurrence_id, e.this_and_future, e.status, e.transparency, e.visibility, e.properties, e.version, e.deleted_at
  from q
  join counted n on n.rows <= q.rows_max
  cross join part p
  join events e on e.id = p.id
),
calendar as materialized (
  select array(select unnest(calendar_ids) from q union select calendar_id from event) as ids
),
wish as materialized (
  select w.event_id, w.resource_id, w.policy, w.booked_until from event e join event_resources w on w.event_id = e.id
)
select (select rows from counted) as rows,
       (select coalesce(json_agg(s), '[]')
        from (select row_to_json(e) as event,
                     (select coalesce(json_agg(a), '[]')
                      from (select a.email, a.user_id, a.name, a.response_status, a.is_optional, a.comment, a.responded_at, a.created_at
                            from attendees a where a.event_id = e.id order by a.created_at, a.email) a) as attendees,
                     (select coalesce(json_agg(w), '[]')
                      from (select w.resource_id, w.policy, w.booked_until from wish w where w.event_id = e.id order by w.resource_id) w) as wishes
              from event e) s)::text as events,
       (select coalesce(json_agg(c), '[]')
        from (select c.id, c.tzid, m.role, c.deleted_at is not null as is_deleted
              from calendars c
              left join calendar_members m on m.calendar_id = c.id and m.user_id = (select viewer_id from q)
              where c.id = any((select ids from calendar)::uuid[])) c)::text as calendars,
       (select coalesce(json_agg(u), '[]')
        from (select u.id, u.email, u.name from q join users u on u.email = any(q.emails) where u.erased_at is null
              union
              select u.id, u.email, u.name from q join users u on u.id = any(q.user_ids) where u.deactivated_at is null) u)::text as people,
       (select coalesce(json_agg(r), '[]')
        from (select row_to_json(r) as resource, m.role, r.deleted_at is not null as is_deleted
              from (select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
                           r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version, r.deleted_at
                    from resources r
                    where r.id = any(array(select unnest(resource_ids) from q union select resource_id from wish))) r
              left join resource_members m on m.resource_id = r.id and m.user_id = (select viewer_id from q)) r)::text as resources,
       (select coalesce(json_agg(t), '[]')
        from (select t.id, t.calendar_id, t.uid, t.recurrence_id
              from (select unnest(uids) as uid from q union select uid from event) u
              join events t on t.uid = u.uid and t.deleted_at is null
              where t.calendar_id = any((select ids from calendar)::uuid[])) t)::text as namesakes

-- name: lock_shared_resources
-- Resources that take several bookings at once are booked by one writer at a time, who chooses a free unit: by id, before
-- `select_taken` looks which units are free. Those that take one need no lock, the constraint decides.
select id from resources where id = any($1::uuid[]) and concurrent_bookings > 1 order by id for no key update

-- name: select_taken
-- What the events $1 hold, and what others hold of resources ($2) in the periods from $3 to $4, set-up and tear-down
-- included, as JSON texts. `key share` keeps a resource from being changed while it is booked; its version tells whether it
-- was before.
with q as materialized (
  select $1::uuid[] as event_ids, $2::uuid[] as resource_ids, $3::timestamptz[] as starts, $4::timestamptz[] as ends
),
resource as materialized (
  select r.id, r.setup_minutes, r.teardown_minutes, r.version
  from resources r
  where r.id = any(array(select unnest(resource_ids) from q))
  order by r.id
  for key share
)
select (select coalesce(json_agg(h), '[]')
        from (select v.id, v.resource_id, v.unit, v.event_id, v.recurrence_id, v.start_time, v.end_time,
                     lower(v.blocked) as blocked_from, upper(v.blocked) as blocked_until, v.status
              from q
              join reservations v on v.event_id = any(q.event_ids)
              where v.status <> 'CANCELLED'
              order by v.start_time, v.id) h)::text as held,
       (select coalesce(json_agg(t), '[]')
        from (select distinct v.resource_id, v.unit, lower(v.blocked) as blocked_from, upper(v.blocked) as blocked_until
              from q
              cross join unnest(q.resource_ids, q.starts, q.ends) w(resource_id, start_time, end_time)
              join resource r on r.id = w.resource_id
              join reservations v
                on v.resource_id = w.resource_id and v.status = 'CONFIRMED'
               and v.blocked && tstzrange(w.start_time - make_interval(mins => r.setup_minutes),
                                          w.end_time + make_interval(mins => r.teardown_minutes))
              where v.event_id <> all(q.event_ids)) t)::text as taken,
       (select coalesce(json_object_agg(r.id, r.version), '{}') from resource r)::text as versions

-- name: park_overrides
-- Overrides that all move at once would meet each other's old places; a microsecond beside them nobody stands.
update events set recurrence_id = recurrence_id + interval '1 microsecond' where id = any($1::uuid[])

-- name: write_events
-- A set of events as they are to be, as JSON arrays: new rows ($1), changed rows ($2), attendees put ($3) and removed ($4),
-- resources that are wanted ($5) and no longer wanted ($6). The change log is written by triggers. An answer to an invitation
-- takes no lock of the event: one that came since these were read stays, unless it is this set that gives another. An
-- invitation takes its span from its event, so new events are counted, and thereby written, before any of theirs.
with added as (
  insert into events (id, calendar_id, organizer_id, uid, sequence, title, description, location, url, start_time, end_time, span_end,
                      tzid, all_day, floating, rrule, rdates, exdates, series_id, recurrence_id, this_and_future, status,
                      transparency, visibility, properties)
  select r.id, r.calendar_id, r.organizer_id, r.uid, r.sequence, r.title, r.description, r.location, r.url, r.start_time, r.end_time,
         coalesce(r.span_end, 'infinity'), r.tzid, r.all_day, r.floating, r.rrule, r.rdates, r.exdates, r.series_id, r.recurrence_id,
         r.this_and_future, r.status, r.transparency, r.visibility, r.properties
  from jsonb_to_recordset($1::jsonb)
    as r(id uuid, calendar_id uuid, organizer_id uuid, uid text, sequence integer, title text, description text, location text,
         url text, start_time timestamptz, end_time timestamptz, span_end timestamptz, tzid text, all_day boolean, floating boolean,
         rrule text, rdates timestamptz[], exdates timestamptz[], series_id uuid, recurrence_id timestamptz, this_and_future boolean,
         status text, transparency text, visibility text, properties text[])
  returning id
),
changed as (
  update events e
  set calendar_id = r.calendar_id, uid = r.uid, sequence = r.sequence, title = r.title, description = r.description,
      location = r.location, url = r.url, start_time = r.start_time, end_time = r.end_time,
      span_end = coalesce(r.span_end, 'infinity'), tzid = r.tzid, all_day = r.all_day, floating = r.floating, rrule = r.rrule,
      rdates = r.rdates, exdates = r.exdates, series_id = r.series_id, recurrence_id = r.recurrence_id, status = r.status,
      transparency = r.transparency, visibility = r.visibility, deleted_at = r.deleted_at
  from jsonb_to_recordset($2::jsonb)
    as r(id uuid, calendar_id uuid, uid text, sequence integer, title text, description text, location text, url text,
         start_time timestamptz, end_time timestamptz, span_end timestamptz, tzid text, all_day boolean, floating boolean, rrule text,
         rdates timestamptz[], exdates timestamptz[], series_id uuid, recurrence_id timestamptz, status text, transparency text,
         visibility text, deleted_at timestamptz)
  where e.id = r.id
),
invited as (
  insert into attendees as a (event_id, email, user_id, name, response_status, is_optional, comment, responded_at, created_at)
  select r.event_id, r.email, r.user_id, r.name, r.response_status, r.is_optional, r.comment, r.responded_at,
         coalesce(r.created_at, now() + r.place * interval '1 microsecond')
  from jsonb_to_recordset($3::jsonb)
    as r(event_id uuid, email text, user_id uuid, name text, response_status text, is_optional boolean, comment text,
         responded_at timestamptz, created_at timestamptz, place integer, is_there boolean)
  where (select count(*) from added) >= 0 and not r.is_there
),
kept as (
  update attendees a
  set name = r.name, is_optional = r.is_optional,
      response_status = case when r.has_answer then r.response_status else a.response_status end,
      comment = case when r.has_answer then r.comment else a.comment end,
      responded_at = case when r.has_answer then r.responded_at else a.responded_at end
  from jsonb_to_recordset($3)
    as r(event_id uuid, email text, name text, response_status text, is_optional boolean, comment text, responded_at timestamptz,
         is_there boolean, has_answer boolean)
  where r.is_there and a.event_id = r.event_id and a.email = r.email
),
uninvited as (
  delete from attendees a using jsonb_to_recordset($4::jsonb) as r(event_id uuid, email text)
  where a.event_id = r.event_id and a.email = r.email
),
wished as (
  insert into event_resources (event_id, resource_id, policy, booked_until)
  select r.event_id, r.resource_id, r.policy, r.booked_until
  from jsonb_to_recordset($5::jsonb) as r(event_id uuid, resource_id uuid, policy text, booked_until timestamptz)
  on conflict on constraint event_resources_pkey do update set policy = excluded.policy, booked_until = excluded.booked_until
)
delete from event_resources w using jsonb_to_recordset($6::jsonb) as r(event_id uuid, resource_id uuid)
where w.event_id = r.event_id and w.resource_id = r.resource_id

-- name: release_reservations
-- Gives up reservations, by id, before others are made in the same transaction.
delete from reservations where id = any($1::uuid[])

-- name: insert_reservations
-- Reservations, as a JSON array, in the one order: resource, unit, start. Where somebody took the place meanwhile no row comes
-- back. Plain inserts into one slot would deadlock.
insert into reservations (id, resource_id, unit, event_id, recurrence_id, start_time, end_time, blocked, status)
select r.id, r.resource_id, r.unit, r.event_id, r.recurrence_id, r.start_time, r.end_time, tstzrange(r.blocked_from, r.blocked_until), r.status
from jsonb_to_recordset($1::jsonb)
  as r(id uuid, resource_id uuid, unit integer, event_id uuid, recurrence_id timestamptz, start_time timestamptz, end_time timestamptz,
       blocked_from timestamptz, blocked_until timestamptz, status text)
order by r.resource_id, r.unit, r.start_time
on conflict on constraint reservations_no_double_booking do nothing
returning id

-- name: release_calendar
-- Gives up all that the events of a calendar have booked.
delete from reservations v using events e where e.calendar_id = $1::uuid and v.event_id = e.id

-- name: mark_unbooked
-- What the events of a calendar want is booked up to $2 only, so that it is booked anew.
update event_resources w set booked_until = $2::timestamptz
from events e
where e.calendar_id = $1::uuid and e.deleted_at is null and e.span_end > $2 and w.event_id = e.id
returning w.event_id

-- name: select_due
-- Events that are not booked up to $1, those furthest behind first, $2 at most; none while another node is at it.
select w.event_id
from event_resources w
where w.booked_until < $1::timestamptz and (select pg_try_advisory_xact_lock($3::bigint))
group by w.event_id
order by min(w.booked_until), w.event_id
limit $2::integer

-- name: inherit_wishes
-- Exceptions among the events $1 that want nothing yet want what their series wants. Comes back: all of $1, and their series,
-- that want anything.
with inherited as (
  insert into event_resources (event_id, resource_id, policy)
  select o.id, w.resource_id, w.policy
  from events o
  join event_resources w on w.event_id = o.series_id
  where o.id = any($1::uuid[]) and not exists (select from event_resources x where x.event_id = o.id)
  returning event_id
)
select event_id from inherited
union
select w.event_id from event_resources w where w.event_id = any($1)
union
select w.event_id from events o join event_resources w on w.event_id = o.series_id where o.id = any($1)

-- name: search_events
-- Events by their words, a page of them, those first that have all words in the title, then those that end last. Words ($3)
-- must all be somewhere in title, location, or the indexed part of the description.
--
--  $1 viewer           $2 one calendar, or null for all that the viewer sees in full
--  $4 $5 window, each end may be null          $6 $7 the same as a wall clock, for all-day and floating events
--  $8 $9 roles and visibilities, pair by pair, that show an event in full
--  $10 $11 $12 the last one shown: in the title, end (null: none), id (null: this is the first page)
--  $13 rows at most    $14 $15 the time of which the rooms of a series are shown
--
-- Calendars are searched one by one, each through the index, which leads by calendar and words at once. What the viewer organises
-- or is invited to in other calendars is few, and is compared row by row. Who may see an event's time only must not find it, so
-- rights are part of the search. An exception of a series comes only where its series does not.
with asked as materialized (
  select $1::uuid as viewer_id, $2::uuid as calendar_id, array(select search_fold(w) from unnest($3::text[]) w) as words,
         $4::timestamptz as start_time, $5::timestamptz as end_time, $6::timestamptz as wall_start, $7::timestamptz as wall_end,
         $8::text[] as roles, $9::text[] as visibilities,
         $10::boolean as after_in_title, coalesce($11::timestamptz, 'infinity') as after_end, $12::uuid as after_id,
         $13::integer as rows_max, $14::timestamptz as first, $15::timestamptz as last
),
member as materialized (
  select c.id, m.role
  from asked q
  join calendar_members m on m.user_id = q.viewer_id and (q.calendar_id is null or m.calendar_id = q.calendar_id)
  join calendars c on c.id = m.calendar_id
  where c.deleted_at is null
),
candidate as (
  select e.id, e.series_id, e.title, e.location, e.description, e.start_time, e.span_end, e.all_day, e.floating
  from asked q
  cross join member m
  cross join lateral (
    select e.* from events e
    where e.deleted_at is null
      and search_items(e.calendar_id, search_text(e.title, e.location, e.description)) @> search_items(m.id, array_to_string(q.words, ' '))
    offset 0) e
  where (m.role, e.visibility) in (select * from unnest(q.roles, q.visibilities))
     or e.organizer_id = q.viewer_id
     or exists (select from attendees a where a.event_id = e.id and a.user_id = q.viewer_id)
  union all
  select e.id, e.series_id, e.title, e.location, e.description, e.start_time, e.span_end, e.all_day, e.floating
  from asked q
  cross join lateral (
    select o.id from events o where o.organizer_id = q.viewer_id and o.deleted_at is null
    union
    select i.event_id from attendees i where i.user_id = q.viewer_id) own
  cross join lateral (select e.* from events e where e.id = own.id and e.deleted_at is null offset 0) e
  where q.calendar_id is null
    and e.calendar_id not in (select id from member)
    and (select c.deleted_at is null from calendars c where c.id = e.calendar_id)
),
found as materialized (
  select e.id, e.series_id, e.span_end, w.in_title
  from asked q
  cross join candidate e
  cross join lateral (
    select bool_and(strpos(search_text(e.title, e.location, e.description), w) > 0) as is_found,
           bool_and(strpos(search_fold(e.title), w) > 0) as in_title
    from unnest(q.words) w) w
  where w.is_found
    and case when e.all_day or e.floating
             then (q.wall_end is null or e.start_time < q.wall_end)
              and (q.wall_start is null or e.span_end > q.wall_start or e.start_time >= q.wall_start)
             else (q.end_time is null or e.start_time < q.end_time)
              and (q.start_time is null or e.span_end > q.start_time or e.start_time >= q.start_time) end
),
page as materialized (
  select f.id, f.in_title, f.span_end
  from asked q
  cross join found f
  where not exists (select from found m where m.id = f.series_id)
    and (q.after_id is null or (f.in_title, f.span_end, f.id) < (q.after_in_title, q.after_end, q.after_id))
  order by f.in_title desc, f.span_end desc, f.id desc
  limit (select rows_max from asked)
),
shown as (
  select e.id, e.calendar_id, e.uid, e.sequence, e.title, e.description, e.location, e.url,
         e.start_time, e.end_time, nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day, e.floating,
         e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future,
         e.status, e.transparency, e.visibility, e.version, e.created_at, e.updated_at,
         (select m.role from member m where m.id = e.calendar_id) as role,
         e.organizer_id, o.name as organizer_name, o.email as organizer_email, o.avatar_url as organizer_avatar_url,
         (select coalesce(json_agg(a), '[]')
          from (select a.email, a.name, a.user_id, u.name as user_name, case when u.erased_at is null then u.email end as user_email,
                       u.avatar_url, a.response_status, a.is_optional, a.comment
                from attendees a
                left join users u on u.id = a.user_id
                where a.event_id = e.id
                order by a.created_at, a.email) a) as attendees,
         (select coalesce(json_agg(b), '[]')
          from (select r.id, r.name, r.kind, v.recurrence_id, v.start_time, v.end_time, v.status = 'MISSED' as is_missed
                from reservations v
                join resources r on r.id = v.resource_id
                where v.event_id = e.id and v.status in ('CONFIRMED', 'MISSED')
                  and (v.recurrence_id is null
                       or (v.recurrence_id < q.last and v.recurrence_id >= q.first - (e.end_time - e.start_time)))
                order by v.start_time, r.id) b) as bookings,
         case when e.rrule is not null or e.rdates <> '{}'
              then (select min(w.booked_until) from event_resources w where w.event_id = e.id) end as booked_until
  from asked q
  cross join page p
  cross join lateral (select e.* from events e where e.id = p.id offset 0) e
  cross join lateral (select o.name, case when o.erased_at is null then o.email end as email, o.avatar_url
                      from users o where o.id = e.organizer_id offset 0) o
)
select (select count(*) from member) as calendars,
       (select coalesce(json_agg(p), '[]')
        from (select in_title, nullif(span_end, 'infinity') as span_end, id from page order by in_title desc, page.span_end desc, id desc) p
       )::text as places,
       (select coalesce(json_agg(s), '[]') from shown s)::text as events

-- name: select_history
-- What the change log knows of one event ($2), deleted or not, by transaction, those last that are the oldest; and what decides
-- whether the viewer ($1) may know. $3 $4: time and transaction of the last one shown, null on the first page; $5 rows at most.
-- Rows of the event itself, of its attendees, and of the resources that it holds (those are logged at the resource); not what a
-- person keeps about it for themself. An update of no field is the echo of a change of who is invited.
with event as materialized (
  select e.id, e.visibility, e.organizer_id, e.deleted_at is not null as is_deleted, m.role,
         exists (select from attendees a where a.event_id = e.id and a.user_id = $1::uuid) as is_invited
  from events e
  join calendars c on c.id = e.calendar_id and c.deleted_at is null
  left join calendar_members m on m.calendar_id = e.calendar_id and m.user_id = $1
  where e.id = $2::uuid
),
line as materialized (
  select l.xid, l.ts, l.seq, l.actor_id, l.entity, l.op, l.fields, l.user_id, l.scope_id
  from change_log l
  where l.entity_id = $2
    and ((l.entity = 'event' and l.scope_kind = 'calendar' and l.op <> 'remove')
         or (l.entity = 'attendee' and l.scope_kind = 'calendar')
         or (l.entity = 'reservation' and l.scope_kind = 'resource'))
    and not (l.op = 'update' and l.fields is not null and l.fields = '{}')
),
entry as materialized (
  select xid, max(ts) as changed_at, (array_agg(actor_id))[1] as actor_id
  from line
  group by xid
  having $3::timestamptz is null or (max(ts), xid) < ($3, $4::text::xid8)
  order by changed_at desc, xid desc
  limit $5::integer
)
select (select row_to_json(e) from event e)::text as standing,
       (select min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp at time zone 'UTC'
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'change_log'::regclass and c.relname ~ '^change_log_\d{8}$') as reaches_back_to,
       (select coalesce(json_agg(s order by s.changed_at desc, s.xid desc), '[]')
        from (select n.xid::text as transaction, n.xid, n.changed_at,
                     (select row_to_json(p) from (select u.id, u.name, case when u.erased_at is null then u.email end as email, u.avatar_url
                                                  from users u where u.id = n.actor_id) p) as actor,
                     (select json_agg(t order by t.seq)
                      from (select min(l.seq) as seq, l.entity, l.op, l.fields,
                                   (select row_to_json(p) from (select u.id, u.name, case when u.erased_at is null then u.email end as email,
                                                                       u.avatar_url
                                                                from users u where u.id = l.user_id and l.entity = 'attendee') p) as person,
                                   (select row_to_json(r) from (select r.id, r.name, r.kind from resources r
                                                                where r.id = l.scope_id and l.entity = 'reservation') r) as resource
                            from line l
                            where l.xid = n.xid
                            group by l.entity, l.op, l.fields, l.user_id, l.scope_id) t) as lines
              from entry n) s)::text as entries
