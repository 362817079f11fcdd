-- Events, who is invited, which rooms they hold.
--
-- A series is one row: start_time and end_time are its first instance, span_end is where its last instance ends
-- ('infinity' when it has none). An override is a row with series_id and recurrence_id, the instance that it replaces;
-- one that also moves what follows (RANGE=THISANDFUTURE) has a span_end of its own that covers those instances.
-- All-day and floating times are stored as if their wall clock were UTC.
create table events (
  id              uuid        constraint events_pkey primary key,
  calendar_id     uuid        not null constraint events_calendar_fkey references calendars on delete cascade,
  organizer_id    uuid        not null constraint events_organizer_fkey references users,
  uid             text        not null constraint events_uid_length check (char_length(uid) between 1 and 1000),
  sequence        integer     not null default 0 constraint events_sequence_range check (sequence >= 0),
  title           text        not null constraint events_title_length check (char_length(title) <= 500),
  description     text        constraint events_description_length check (char_length(description) <= 100000),
  location        text        constraint events_location_length check (char_length(location) <= 2000),
  url             text        constraint events_url_length check (char_length(url) <= 4000),
  start_time      timestamptz not null,
  end_time        timestamptz not null,
  span_end        timestamptz not null,
  tzid            text        constraint events_tzid_length check (char_length(tzid) between 1 and 64),
  all_day         boolean     not null default false,
  floating        boolean     not null default false,
  rrule           text        constraint events_rrule_length check (char_length(rrule) between 1 and 2000),
  rdates          timestamptz[] not null default '{}' constraint events_rdates_bound check (cardinality(rdates) <= 10000),
  exdates         timestamptz[] not null default '{}' constraint events_exdates_bound check (cardinality(exdates) <= 10000),
  series_id       uuid        constraint events_series_fkey references events on delete cascade,
  recurrence_id   timestamptz,
  this_and_future boolean     not null default false,
  status          text        not null default 'CONFIRMED' constraint events_status check (status in ('CONFIRMED', 'TENTATIVE', 'CANCELLED')),
  transparency    text        not null default 'OPAQUE' constraint events_transparency check (transparency in ('OPAQUE', 'TRANSPARENT')),
  visibility      text        not null default 'PUBLIC' constraint events_visibility check (visibility in ('PUBLIC', 'PRIVATE', 'CONFIDENTIAL')),
  -- iCalendar properties and alarms that Yotei does not read, kept as content lines for export.
  properties      text[]      not null default '{}' constraint events_properties_bound check (cardinality(properties) <= 2000),
  version         integer     not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  deleted_at      timestamptz,
  constraint events_finite check (isfinite(start_time) and isfinite(end_time)),
  constraint events_span check (end_time >= start_time and span_end >= end_time),
  constraint events_floating_has_no_zone check (not (all_day or floating) or tzid is null),
  constraint events_override_names_instance check (series_id is null or recurrence_id is not null),
  constraint events_override_does_not_recur check (recurrence_id is null or (rrule is null and rdates = '{}'))
) with (fillfactor = 85);
-- uid first: led by the calendar it would be another way to its events, and the planner takes it where they lie together.
create unique index events_uid_key on events (uid, calendar_id, coalesce(recurrence_id, '-infinity')) where deleted_at is null;
-- The one overlap index. The end comes first: nearly all events lie in the past, so `span_end > a` cuts most.
create index events_calendar_span on events (calendar_id, span_end, start_time) where deleted_at is null;
create index events_organizer_span on events (organizer_id, span_end, start_time) where deleted_at is null;
create index events_series on events (series_id, recurrence_id) where series_id is not null;

-- No INCLUDE: an index over response_status would end HOT updates, one of which is all that an RSVP costs.
create table attendees (
  event_id        uuid        not null constraint attendees_event_fkey references events on delete cascade,
  email           text        not null constraint attendees_email_shape check (email = lower(email) and char_length(email) between 3 and 320),
  user_id         uuid        constraint attendees_user_fkey references users on delete set null,
  name            text        constraint attendees_name_length check (char_length(name) <= 200),
  response_status text        not null default 'NEEDS_ACTION'
                              constraint attendees_response_status check (response_status in ('NEEDS_ACTION', 'ACCEPTED', 'DECLINED', 'TENTATIVE')),
  is_optional     boolean     not null default false,
  comment         text        constraint attendees_comment_length check (char_length(comment) <= 2000),
  created_at      timestamptz not null default now(),
  responded_at    timestamptz,
  constraint attendees_pkey primary key (event_id, email)
) with (fillfactor = 90);
create index attendees_user on attendees (user_id, event_id) where user_id is not null;

-- What one person keeps about an event for themself.
create table event_user_state (
  user_id          uuid      not null constraint event_user_state_user_fkey references users on delete cascade,
  event_id         uuid      not null constraint event_user_state_event_fkey references events on delete cascade,
  color            text      constraint event_user_state_color_shape check (color ~ '^#[0-9a-f]{6}$'),
  reminder_minutes integer[] not null default '{}' constraint event_user_state_reminders_bound check (cardinality(reminder_minutes) <= 5),
  is_hidden        boolean   not null default false,
  constraint event_user_state_pkey primary key (user_id, event_id)
);
create index event_user_state_event on event_user_state (event_id);

create table resources (
  id                  uuid        constraint resources_pkey primary key,
  name                text        not null constraint resources_name_length check (char_length(name) between 1 and 200),
  kind                text        not null default 'ROOM' constraint resources_kind check (kind in ('ROOM', 'EQUIPMENT')),
  description         text        constraint resources_description_length check (char_length(description) <= 10000),
  location            text        constraint resources_location_length check (char_length(location) <= 2000),
  tzid                text        not null default 'UTC' constraint resources_tzid_length check (char_length(tzid) between 1 and 64),
  seats               integer     constraint resources_seats_range check (seats between 1 and 100000),
  features            text[]      not null default '{}' constraint resources_features_bound check (cardinality(features) <= 50),
  concurrent_bookings integer     not null default 1 constraint resources_concurrent_bookings_range check (concurrent_bookings between 1 and 1000),
  setup_minutes       integer     not null default 0 constraint resources_setup_minutes_range check (setup_minutes between 0 and 1440),
  teardown_minutes    integer     not null default 0 constraint resources_teardown_minutes_range check (teardown_minutes between 0 and 1440),
  -- Same shape as users.working_hours; null is open at any time.
  opening_hours       jsonb       constraint resources_opening_hours_object check (jsonb_typeof(opening_hours) = 'object'),
  version             integer     not null default 1,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now(),
  deleted_at          timestamptz
);
create index resources_name on resources (name, id) where deleted_at is null;

-- One row per booked instance. The exclusion constraint is the guarantee: no two CONFIRMED rows share a unit and a moment.
create table reservations (
  id            uuid      constraint reservations_pkey primary key,
  resource_id   uuid      not null constraint reservations_resource_fkey references resources,
  unit          integer   not null default 1 constraint reservations_unit_range check (unit between 1 and 1000),
  event_id      uuid      not null constraint reservations_event_fkey references events on delete cascade,
  recurrence_id timestamptz,
  start_time    timestamptz not null,
  end_time      timestamptz not null,
  -- The period with set-up before and tear-down after it.
  blocked       tstzrange not null,
  status        text      not null default 'CONFIRMED' constraint reservations_status check (status in ('CONFIRMED', 'CANCELLED')),
  created_at    timestamptz not null default now(),
  constraint reservations_span check (start_time < end_time and isfinite(end_time)),
  constraint reservations_blocked_covers check (blocked @> tstzrange(start_time, end_time)),
  constraint reservations_no_double_booking exclude using gist (resource_id with =, unit with =, blocked with &&) where (status = 'CONFIRMED')
);
create index reservations_event on reservations (event_id, resource_id);
