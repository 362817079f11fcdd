-- yotei: no-transaction
-- yotei: lock_timeout_ms=600000
-- yotei: statement_timeout_ms=86400000
-- Finding events by their words, in any language: see docs/adr/0011-search.md.

-- Words as they are compared: full and half width alike, upper and lower case alike.
create or replace function search_fold(words text) returns text immutable strict parallel safe language sql
  return lower(normalize(words, nfkc));

-- What an event is found by.
create or replace function search_text(title text, location text, description text) returns text immutable parallel safe language sql
  return search_fold(title || chr(10) || coalesce(location, '') || chr(10) || coalesce(left(description, 1000), ''));

-- What the index holds of a text: its pairs of neighbouring characters, single characters of scripts that write words with one
-- (from U+2E80 on: kana, han, hangul), and the calendar, so that one search reads the events of one calendar only.
create or replace function search_items(calendar_id uuid, folded text) returns text[] immutable parallel safe language plpgsql as $$
declare
  characters text[] := string_to_array(folded, null);
begin
  return array(
    select a || b from unnest(characters, characters[2:]) pair(a, b) where ascii(a) > 32 and ascii(b) > 32
    union all
    select a from unnest(characters) a where ascii(a) >= 11904
    union all
    select calendar_id::text);
end $$;

-- New rows wait in a short list: they cost less to write, and the list costs little to read.
create index concurrently if not exists events_search on events
  using gin (search_items(calendar_id, search_text(title, location, description))) with (gin_pending_list_limit = 256)
  where deleted_at is null;

-- Nothing is planned by them, and ANALYZE would compute the items of every row of its sample.
alter index events_search alter column 1 set statistics 0;
