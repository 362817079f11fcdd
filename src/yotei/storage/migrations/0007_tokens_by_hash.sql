-- A cached token is found by its hash, and the log names it by its id. So each change of a token is logged twice: by its
-- id, and by half of its hash, which nobody could make a token of.
create or replace function log_tokens() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', o.user_id, 'token', named.id, o.user_id, 'delete'
    from old_rows o
    cross join lateral (values (o.id), (encode(substr(o.token_hash, 1, 16), 'hex')::uuid)) named (id);
  else
    insert into change_log (scope_kind, scope_id, entity, entity_id, user_id, op)
    select 'user', n.user_id, 'token', named.id, n.user_id, lower(tg_op)
    from new_rows n
    cross join lateral (values (n.id), (encode(substr(n.token_hash, 1, 16), 'hex')::uuid)) named (id);
  end if;
  return null;
end $$;
