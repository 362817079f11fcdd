-- name: select_people_busy
-- When people are busy: the rule of `freebusy` in SQL, in one row of JSON texts, and nothing of an event but its times, its rule
-- and whether it takes time.
--
--  $1 people, by id     $2 people, by address     $3 window start     $4 window end     $5 rows at most
--
-- `people`: those who are there. `busy`: periods of events that do not recur, joined for each person and kind. `wall`: such
-- events of the clock alone, which each person has at another instant. `rows`: the series that concern anybody, masters and
-- overrides, and `marks`: whom each of these rows makes busy. `size`: how many rows that takes; with more than $5 nothing comes.
--
-- Whatever goes by a wall clock is looked for a good day further, as far as any zone is away. An override that moves what
-- follows may bring instances from anywhere into the window: then all overrides of its series are needed. `offset 0` keeps a
-- look-up a look-up, for each person by all that leads the index. An invitation knows when its event is: those of other times are
-- not read. Theirs are read in the order of events, which is near the one in which these lie. `is true` keeps `in` from becoming a
-- join: the people are hashed once.
with asked as materialized (
  select $3::timestamptz as start_time, $4::timestamptz as end_time, $3 - interval '26 hours' as first, $4 + interval '26 hours' as last
),
person as materialized (
  select u.id, u.email, u.tzid, u.working_hours from users u where u.id = any($1::uuid[]) and u.deactivated_at is null
  union
  select u.id, u.email, u.tzid, u.working_hours from users u where u.email = any($2::text[]) and u.deactivated_at is null
),
invited as materialized (
  select distinct i.event_id as id
  from asked q
  cross join person p
  cross join lateral (select i.event_id from attendees i
                      where i.user_id = p.id and i.span_end > q.first and i.start_time < q.last offset 0) i
  order by i.event_id
),
touched as (
  select e.id, e.calendar_id, e.organizer_id, e.series_id, e.start_time, e.end_time, e.span_end, e.all_day or e.floating as on_wall_clock,
         e.rrule is not null or e.rdates <> '{}' as recurs, e.status, e.transparency
  from invited i
  cross join lateral (select e.* from events e where e.id = i.id and e.deleted_at is null offset 0) e
  union
  select e.id, e.calendar_id, e.organizer_id, e.series_id, e.start_time, e.end_time, e.span_end, e.all_day or e.floating,
         e.rrule is not null or e.rdates <> '{}', e.status, e.transparency
  from asked q
  cross join person p
  cross join lateral (select e.* from events e
                      where e.organizer_id = p.id and e.span_end > q.first and e.start_time < q.last and e.deleted_at is null offset 0) e
  union
  select e.id, e.calendar_id, e.organizer_id, e.series_id, e.start_time, e.end_time, e.span_end, e.all_day or e.floating,
         e.rrule is not null or e.rdates <> '{}', e.status, e.transparency
  from asked q
  cross join person p
  cross join lateral (select c.id from calendars c where c.personal_for = p.id and c.deleted_at is null offset 0) c
  cross join lateral (select e.* from events e
                      where e.calendar_id = c.id and e.span_end > q.first and e.start_time < q.last and e.deleted_at is null offset 0) e
),
hit as materialized (
  select t.id, t.organizer_id, c.personal_for, t.series_id, t.recurs, t.start_time, t.end_time, t.on_wall_clock, t.status,
         t.series_id is null and not t.recurs as is_single
  from asked q
  cross join touched t
  cross join lateral (select c.personal_for, c.deleted_at from calendars c where c.id = t.calendar_id offset 0) c
  where (t.on_wall_clock or (t.span_end > q.start_time and t.start_time < q.end_time))
    and (t.series_id is not null or t.recurs or (t.status <> 'CANCELLED' and t.transparency = 'OPAQUE' and t.start_time < t.end_time))
    and c.deleted_at is null
),
series as materialized (
  select h.id from hit h where h.recurs
  union
  select h.series_id from hit h where h.series_id is not null
),
chosen as materialized (
  select id from series
  union
  select h.id from hit h where h.series_id is not null
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
  select (select count(*) from hit where is_single) + (select count(*) from chosen) as size
),
part as materialized (
  select e.id, e.organizer_id, c.personal_for, e.start_time, e.end_time, nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day,
         e.floating, e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future, e.status, e.transparency
  from counted n
  join chosen h on n.size <= $5::integer
  cross join lateral (select e.* from events e where e.id = h.id and e.deleted_at is null offset 0) e
  cross join lateral (select c.personal_for, c.deleted_at from calendars c where c.id = e.calendar_id offset 0) c
  where c.deleted_at is null
),
event as materialized (
  select h.id, h.organizer_id, h.personal_for, h.start_time, h.end_time, h.on_wall_clock, h.status, true as is_single
  from counted n
  join hit h on n.size <= $5 and h.is_single
  union all
  select e.id, e.organizer_id, e.personal_for, e.start_time, e.end_time, e.all_day or e.floating, e.status, false
  from part e
  where e.status <> 'CANCELLED' and e.transparency = 'OPAQUE'
),
concerned as (
  select e.id, i.user_id as person_id, i.response_status as answer
  from event e
  cross join lateral (select i.user_id, i.response_status from attendees i where i.event_id = e.id offset 0) i
  where (i.user_id in (select id from person)) is true
  union all
  select e.id, e.organizer_id, null from event e where (e.organizer_id in (select id from person)) is true
  union all
  select e.id, e.personal_for, null from event e where (e.personal_for in (select id from person)) is true
),
marked as materialized (
  select c.person_id, e.id, e.start_time, e.end_time, e.on_wall_clock, e.is_single,
         case when e.status = 'TENTATIVE' or c.is_tentative then 'TENTATIVE' else 'BUSY' end as kind
  from (select c.id, c.person_id, bool_and(c.answer in ('TENTATIVE', 'DECLINED')) as is_tentative
        from concerned c
        group by c.id, c.person_id
        having bool_and(c.answer = 'DECLINED') is not true) c
  join event e on e.id = c.id
)
select (select size from counted) as size,
       (select coalesce(json_agg(p), '[]') from person p)::text as people,
       (select coalesce(json_agg(b), '[]')
        from (select j.person_id, j.kind, (select json_agg(json_build_array(lower(s), upper(s))) from unnest(j.spans) s) as spans
              from (select m.person_id, m.kind, range_agg(tstzrange(m.start_time, m.end_time)) as spans
                    from marked m
                    where m.is_single and not m.on_wall_clock
                    group by m.person_id, m.kind) j) b)::text as busy,
       (select coalesce(json_agg(w), '[]')
        from (select m.person_id, m.kind, json_agg(json_build_array(m.start_time, m.end_time)) as spans
              from marked m
              where m.is_single and m.on_wall_clock
              group by m.person_id, m.kind) w)::text as wall,
       (select coalesce(json_agg(e), '[]')
        from (select e.id, e.start_time, e.end_time, e.span_end, e.tzid, e.all_day, e.floating, e.rrule, e.rdates, e.exdates,
                     e.series_id, e.recurrence_id, e.this_and_future, e.status from part e) e)::text as rows,
       (select coalesce(json_agg(k), '[]')
        from (select m.id as event_id, m.kind, json_agg(m.person_id) as person_ids
              from marked m
              where not m.is_single
              group by m.id, m.kind) k)::text as marks

-- name: select_resources_blocked
-- When the units of resources are blocked, set-up and tear-down included, as one row of JSON texts: the resources $2, and, where
-- $3 says so, those of kind $4 with $5 seats at least and the features $6, named ones first, then the smallest; each with the
-- role of the viewer ($1), and for each of its units that is blocked at all the periods of it, joined.
--
--  $7 window start     $8 window end     $9 resources at most     $10 reservations at most: with more of them no resources come
with resource as materialized (
  select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
         r.setup_minutes, r.teardown_minutes, r.opening_hours, r.booking, r.version, r.id = any($2::uuid[]) as is_named,
         (select m.role from resource_members m where m.resource_id = r.id and m.user_id = $1::uuid) as role
  from resources r
  where r.deleted_at is null
    and (r.id = any($2)
         or ($3::boolean and ($4::text is null or r.kind = $4) and ($5::integer is null or r.seats >= $5) and r.features @> $6::text[]))
  order by is_named desc, r.seats, r.name, r.id
  limit $9::integer
),
taken as materialized (
  select r.id, v.unit, v.blocked
  from resource r
  cross join lateral (select v.unit, v.blocked from reservations v
                      where v.resource_id = r.id and v.status = 'CONFIRMED' and v.blocked && tstzrange($7::timestamptz, $8::timestamptz)
                      offset 0) v
  limit $10::integer + 1
),
counted as materialized (
  select count(*) as size from taken
),
held as (
  select u.id, json_agg((select json_agg(json_build_array(lower(s), upper(s))) from unnest(u.spans) s)) as units
  from (select t.id, t.unit, range_agg(t.blocked) as spans from taken t group by t.id, t.unit) u
  group by u.id
)
select (select size from counted) as size,
       (select coalesce(json_agg(s), '[]')
        from (select row_to_json(r) as resource, r.is_named, r.role, coalesce(h.units, '[]') as units
              from counted n
              join resource r on n.size <= $10
              left join held h on h.id = r.id
              order by r.is_named desc, r.seats, r.name, r.id) s)::text as resources
