-- name: select_events
-- The one read of events: a list, an agenda and a single event are the same question with other grounds for being
-- asked. Returns one row: the snapshot, the calendars that the viewer reads by right of membership, and the events
-- with all that is shown of them (attendees, people, rooms), as two JSON texts.
--
--  $1 viewer           $2 calendars, by id      $3 the viewer's agenda too   $4 events, by id, whatever the window
--  $5 window start     $6 window end            $7 $8 the same as a wall clock in the zone $9, for all-day and floating events
--  $10 $11 cursor: only single events after this (key, id); nulls: from the start
--  $12 direction, 1 or -1   $13 single events at most, per calendar where $14   $15 series at most, one over to tell
--
-- An override is found by its own span, and, through its series, by the instance that it replaces.
with member as materialized (
  select c.id, m.role
  from calendar_members m
  join calendars c on c.id = m.calendar_id
  where m.user_id = $1::uuid and c.deleted_at is null and ($3::boolean or m.calendar_id = any($2::uuid[]))
),
touched as materialized (
  select e.id, e.calendar_id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false as named
  from member c
  join events e on e.calendar_id = c.id
  where e.deleted_at is null and e.span_end >= least($5::timestamptz, $7::timestamptz) and e.start_time < greatest($6::timestamptz, $8::timestamptz)
  union all
  select e.id, e.calendar_id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false
  from events e
  where $3 and e.organizer_id = $1
    and e.deleted_at is null and e.span_end >= least($5, $7) and e.start_time < greatest($6, $8)
  union all
  select e.id, e.calendar_id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, false
  from attendees i
  join events e on e.id = i.event_id
  where $3 and i.user_id = $1
    and e.deleted_at is null and e.span_end >= least($5, $7) and e.start_time < greatest($6, $8)
  union all
  select e.id, e.calendar_id, e.series_id, e.start_time, e.span_end, e.all_day, e.floating, e.rrule, e.rdates, true
  from events e
  where e.id = any($4::uuid[]) and e.deleted_at is null
),
hit as materialized (
  select distinct on (t.id) t.id, t.calendar_id, t.series_id, t.rrule is not null or t.rdates <> '{}' as recurs, t.named,
         (extract(epoch from case when t.all_day or t.floating then (t.start_time at time zone 'UTC') at time zone $9::text
                                  else t.start_time end) * 1000000)::bigint * $12::integer as key
  from touched t
  where t.named
     or case when t.all_day or t.floating then t.start_time < $8 and (t.span_end > $7 or t.start_time >= $7)
             else t.start_time < $6 and (t.span_end > $5 or t.start_time >= $5) end
  order by t.id, t.named
),
single as (
  select n.id
  from (
    select h.id, h.key, h.named,
           row_number() over (partition by case when $14::boolean then h.calendar_id end, h.named order by h.key, h.id) as place
    from hit h
    where not h.recurs and h.series_id is null and (h.named or $10::bigint is null or (h.key, h.id) > ($10, $11::uuid))
  ) n
  where n.named or n.place <= $13::integer
),
series as (
  select h.id from hit h where h.recurs
  union
  select h.series_id from hit h where h.series_id is not null and not h.named
  limit $15::integer
),
chosen as (
  select id from single
  union
  select id from hit where named
  union
  select id from series
  union
  select o.id
  from series s
  join events m on m.id = s.id
  join events o on o.series_id = m.id and o.deleted_at is null
  where o.this_and_future
     or (o.recurrence_id < greatest($6, $8) and o.recurrence_id >= least($5, $7) - (m.end_time - m.start_time))
     or (o.start_time < greatest($6, $8) and o.span_end >= least($5, $7))
),
shown as (
  select e.id, e.calendar_id, e.uid, e.sequence, e.title, e.description, e.location, e.url,
         e.start_time, e.end_time, nullif(e.span_end, 'infinity') as span_end, e.tzid, e.all_day, e.floating,
         e.rrule, e.rdates, e.exdates, e.series_id, e.recurrence_id, e.this_and_future,
         e.status, e.transparency, e.visibility, e.version, e.created_at, e.updated_at,
         m.role, e.organizer_id, o.name as organizer_name, o.email as organizer_email, o.avatar_url as organizer_avatar_url,
         (select coalesce(json_agg(a), '[]')
          from (select a.email, a.name, a.user_id, u.name as user_name, u.avatar_url,
                       a.response_status, a.is_optional, a.comment
                from attendees a
                left join users u on u.id = a.user_id
                where a.event_id = e.id
                order by a.created_at, a.email) a) as attendees,
         (select coalesce(json_agg(b), '[]')
          from (select r.id, r.name, r.kind, v.recurrence_id
                from reservations v
                join resources r on r.id = v.resource_id
                where v.event_id = e.id and v.status = 'CONFIRMED'
                  and (v.recurrence_id is null
                       or (v.recurrence_id < greatest($6, $8) and v.recurrence_id >= least($5, $7) - (e.end_time - e.start_time)))
                order by v.start_time, r.id) b) as bookings
  from chosen h
  join events e on e.id = h.id and e.deleted_at is null
  join calendars c on c.id = e.calendar_id and c.deleted_at is null
  join users o on o.id = e.organizer_id
  left join calendar_members m on m.calendar_id = e.calendar_id and m.user_id = $1
)
select pg_current_snapshot()::text as snapshot,
       (select coalesce(json_agg(c), '[]') from member c)::text as calendars,
       (select coalesce(json_agg(s), '[]') from shown s)::text as events

-- name: answer_invitation
-- One person's answer to an event that is there: touches one row of attendees (HOT), not the event.
update attendees a
set response_status = $3::text, comment = $4::text, responded_at = now()
from events e
join calendars c on c.id = e.calendar_id
where a.event_id = $1::uuid and a.user_id = $2::uuid
  and e.id = a.event_id and e.deleted_at is null and c.deleted_at is null
returning a.event_id
