"""A small world in which every way that an event can be shown occurs."""
# ruff: noqa: S608, every value put into SQL here is one of this module

from typing import Final
from uuid import UUID

from tests.property.cache.units import TABLES


def _id(number: int) -> str:
    return f"'{UUID(int=number)}'"


AIKO, BEN, CLEO, DAN, TEAM, OTHER, EMPTY, FUJI, HARU, ASO = (_id(n) for n in range(1, 11))
SINGLE, LONG, SERIES, FIRST, SECOND, ENDLESS, MOVING, MOVED, KEPT, ACROSS, GONE, GONE_TOO = (
    _id(n) for n in range(11, 23)
)
ID_FROM: Final = 100
WORLD: Final = f"""
truncate {", ".join(TABLES)} cascade;
insert into users (id, email, name) values
  ({AIKO}, 'aiko@example.org', 'Aiko'), ({BEN}, 'ben@example.org', 'Ben'), ({CLEO}, 'cleo@example.org', 'Cleo'),
  ({DAN}, 'dan@example.org', 'Dan');
insert into tokens (id, user_id, kind, token_hash, name, scopes)
  values ({_id(31)}, {AIKO}, 'USER', sha256('31'), 'laptop', array['read']);
insert into calendars (id, name, personal_for)
  values ({TEAM}, 'Team', null), ({OTHER}, 'Other', {BEN}), ({EMPTY}, 'Empty', null);
insert into calendar_members (user_id, calendar_id, role)
  values ({AIKO}, {TEAM}, 'OWNER'), ({BEN}, {TEAM}, 'READER'), ({BEN}, {OTHER}, 'OWNER');
insert into resources (id, name) values ({FUJI}, 'Fuji'), ({HARU}, 'Haru'), ({ASO}, 'Aso');
insert into resource_members (resource_id, user_id, role) values ({FUJI}, {BEN}, 'BOOKER');
insert into events (id, uid, calendar_id, organizer_id, title, start_time, end_time, span_end, rrule, series_id,
                    recurrence_id)
select e.id::uuid, e.id, e.calendar_id::uuid, e.organizer_id::uuid, 'Planning', start_time::timestamptz,
       end_time::timestamptz, coalesce(span_end, end_time)::timestamptz, rrule, series_id::uuid,
       recurrence_id::timestamptz
from (values
  ({SINGLE}, {TEAM}, {AIKO}, '2027-02-10 10:00Z', '2027-02-10 11:00Z', null, null, null, null),
  ({LONG}, {TEAM}, {AIKO}, '2027-03-20 10:00Z', '2027-05-01 00:00Z', null, null, null, null),
  ({SERIES}, {TEAM}, {AIKO}, '2027-02-01 10:00Z', '2027-02-02 10:00Z', '2027-03-15 10:00Z', 'FREQ=DAILY', null, null),
  ({FIRST}, {TEAM}, {AIKO}, '2027-02-20 10:00Z', '2027-02-20 11:00Z', null, null, {SERIES}, '2027-02-28 10:00Z'),
  ({SECOND}, {TEAM}, {AIKO}, '2027-06-10 10:00Z', '2027-06-10 11:00Z', null, null, {SERIES}, '2027-03-10 10:00Z'),
  ({ENDLESS}, {TEAM}, {BEN}, '2027-04-01 10:00Z', '2027-04-01 11:00Z', 'infinity', 'FREQ=DAILY', null, null),
  ({ACROSS}, {OTHER}, {BEN}, '2027-07-03 10:00Z', '2027-07-03 11:00Z', null, null, {ENDLESS}, '2027-07-04 10:00Z'),
  ({MOVING}, {OTHER}, {BEN}, '2027-02-01 10:00Z', '2027-02-01 11:00Z', '2027-05-15 11:00Z', 'FREQ=DAILY', null, null),
  ({MOVED}, {OTHER}, {BEN}, '2027-04-03 10:00Z', '2027-04-03 11:00Z', '2027-08-15 11:00Z', null, {MOVING},
   '2027-03-03 10:00Z'),
  ({KEPT}, {OTHER}, {BEN}, '2027-02-20 10:00Z', '2027-02-20 11:00Z', null, null, {MOVING}, '2027-02-21 10:00Z'),
  ({GONE}, {TEAM}, {AIKO}, '2027-02-11 10:00Z', '2027-02-11 11:00Z', null, null, null, null),
  ({GONE_TOO}, {TEAM}, {AIKO}, '2027-05-11 10:00Z', '2027-05-11 11:00Z', null, null, {SERIES}, '2027-02-12 10:00Z')
) e (id, calendar_id, organizer_id, start_time, end_time, span_end, rrule, series_id, recurrence_id);
update events set this_and_future = true where id = {MOVED};
update events set deleted_at = now() where id in ({GONE}, {GONE_TOO});
insert into attendees (event_id, email, user_id) values
  ({SINGLE}, 'ben@example.org', {BEN}), ({SINGLE}, 'guest@example.com', null), ({LONG}, 'cleo@example.org', {CLEO}),
  ({SERIES}, 'ben@example.org', {BEN}), ({SECOND}, 'cleo@example.org', {CLEO}), ({ENDLESS}, 'cleo@example.org', {CLEO}),
  ({MOVING}, 'aiko@example.org', {AIKO}), ({GONE}, 'ben@example.org', {BEN}), ({GONE_TOO}, 'cleo@example.org', {CLEO});
insert into event_resources (event_id, resource_id, booked_until) values
  ({SINGLE}, {FUJI}, null), ({SERIES}, {FUJI}, '2027-03-01 00:00Z'), ({MOVING}, {HARU}, '2027-03-01 00:00Z');
insert into reservations (id, resource_id, unit, event_id, recurrence_id, start_time, end_time, blocked)
select r.id::uuid, r.resource_id::uuid, 1, r.event_id::uuid, r.recurrence_id::timestamptz, r.start_time::timestamptz,
       r.start_time::timestamptz + interval '1 h',
       tstzrange(r.start_time::timestamptz, r.start_time::timestamptz + interval '1 h')
from (values ({_id(41)}, {FUJI}, {SINGLE}, null, '2027-02-10 10:00Z'),
             ({_id(42)}, {FUJI}, {SERIES}, '2027-02-03 10:00Z', '2027-02-03 10:00Z'),
             ({_id(43)}, {FUJI}, {SERIES}, '2027-02-28 10:00Z', '2027-02-28 10:00Z'),
             ({_id(44)}, {HARU}, {SECOND}, null, '2027-06-10 10:00Z'),
             ({_id(45)}, {HARU}, {LONG}, null, '2027-04-01 10:00Z')
     ) r (id, resource_id, event_id, recurrence_id, start_time);
insert into event_user_state (user_id, event_id) values ({BEN}, {SINGLE});
"""
