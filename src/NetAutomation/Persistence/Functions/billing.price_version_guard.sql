-- A price is only ever ended, never edited; past prices stay as they were. A range that was already ended stays so,
-- and none that is in force is ended in the past.
create or replace function billing.price_version_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or to_jsonb(new) - 'valid' is distinct from to_jsonb(old) - 'valid' or lower(new.valid) is distinct from lower(old.valid)
     or not upper_inf(old.valid) or upper_inf(new.valid) or upper(new.valid) < now() then
    raise exception 'a price version is immutable; it can only be ended, and not in the past' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger guard before update or delete on billing.price_version
  for each row execute function billing.price_version_guard();
