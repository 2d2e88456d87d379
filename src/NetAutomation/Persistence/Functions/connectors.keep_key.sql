create or replace function connectors.keep_key() returns trigger language plpgsql as $$
begin
  if old.public_key is not null and new.public_key is distinct from old.public_key then
    raise exception 'the key of a connector is bound once' using errcode = 'restrict_violation';
  end if;
  if old.state = 'revoked' and new.state <> 'revoked' then
    raise exception 'a revoked connector stays revoked' using errcode = 'restrict_violation';
  end if;
  if old.state = 'cloned' and new.state not in ('cloned', 'revoked') then
    raise exception 'a connector whose key was copied can only be revoked' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger keep_key before update on connectors.connector for each row execute function connectors.keep_key();
