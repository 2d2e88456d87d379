create or replace function billing.invoice_line_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or new.live or not old.live or to_jsonb(new) - 'live' is distinct from to_jsonb(old) - 'live' then
    raise exception 'a line is only ever released, by voiding its invoice' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger change before update or delete on billing.invoice_line
  for each row execute function billing.invoice_line_change();
