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

-- name: get_resources
-- Resources by id, deleted ones left out.
select r.id, r.name, r.kind, r.description, r.location, r.tzid, r.seats, r.features, r.concurrent_bookings,
       r.setup_minutes, r.teardown_minutes, r.opening_hours::text as opening_hours, r.booking, r.version
from resources r
where r.id = any($1::uuid[]) and r.deleted_at is null

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
