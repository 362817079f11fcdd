-- People, what they may see, and how programs speak for them.
create extension if not exists btree_gist;

create table users (
  id             uuid        constraint users_pkey primary key,
  email          text        not null constraint users_email_shape check (email = lower(email) and position('@' in email) > 1 and char_length(email) <= 320),
  name           text        not null constraint users_name_length check (char_length(name) between 1 and 200),
  avatar_url     text        constraint users_avatar_url_length check (char_length(avatar_url) <= 2000),
  tzid           text        not null default 'UTC' constraint users_tzid_length check (char_length(tzid) between 1 and 64),
  -- {"mon": [["09:00","17:00"]], ...} in the person's own zone; a day that is not named is free of work.
  working_hours  jsonb       not null default '{"mon":[["09:00","17:00"]],"tue":[["09:00","17:00"]],"wed":[["09:00","17:00"]],"thu":[["09:00","17:00"]],"fri":[["09:00","17:00"]]}'
                             constraint users_working_hours_object check (jsonb_typeof(working_hours) = 'object'),
  is_admin       boolean     not null default false,
  version        integer     not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  deactivated_at timestamptz,
  erased_at      timestamptz,
  constraint users_erased_is_deactivated check (erased_at is null or deactivated_at is not null),
  constraint users_email_key unique (email)
) with (fillfactor = 90);

create table tokens (
  id         uuid        constraint tokens_pkey primary key,
  user_id    uuid        not null constraint tokens_user_fkey references users on delete cascade,
  kind       text        not null constraint tokens_kind check (kind in ('USER', 'SERVICE')),
  -- SHA-256 of a token of 256 random bits: nothing to guess, so no slow hash is needed.
  token_hash bytea       not null constraint tokens_hash_length check (octet_length(token_hash) = 32),
  name       text        not null constraint tokens_name_length check (char_length(name) between 1 and 200),
  scopes     text[]      not null constraint tokens_scopes check (scopes <@ array['read', 'write', 'admin'] and cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint tokens_hash_key unique (token_hash)
);
create index tokens_user on tokens (user_id, created_at);

create table calendars (
  id           uuid        constraint calendars_pkey primary key,
  name         text        not null constraint calendars_name_length check (char_length(name) between 1 and 200),
  description  text        constraint calendars_description_length check (char_length(description) <= 10000),
  color        text        not null default '#3b6fb6' constraint calendars_color_shape check (color ~ '^#[0-9a-f]{6}$'),
  tzid         text        not null default 'UTC' constraint calendars_tzid_length check (char_length(tzid) between 1 and 64),
  -- Set on the one calendar that a person has from the start.
  personal_for uuid        constraint calendars_personal_for_fkey references users on delete cascade,
  version      integer     not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  deleted_at   timestamptz
);
create unique index calendars_personal_for_key on calendars (personal_for) where personal_for is not null and deleted_at is null;

create table calendar_members (
  user_id     uuid        not null constraint calendar_members_user_fkey references users on delete cascade,
  calendar_id uuid        not null constraint calendar_members_calendar_fkey references calendars on delete cascade,
  role        text        not null constraint calendar_members_role check (role in ('OWNER', 'WRITER', 'READER', 'FREE_BUSY')),
  created_at  timestamptz not null default now(),
  constraint calendar_members_pkey primary key (user_id, calendar_id)
);
create index calendar_members_calendar on calendar_members (calendar_id, user_id);
