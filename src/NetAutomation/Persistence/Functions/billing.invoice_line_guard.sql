create or replace function billing.invoice_line_guard() returns trigger language plpgsql as $$
begin
  -- The share lock holds off an issue that would otherwise race with this line.
  if (select state from billing.invoice where tenant_id = new.tenant_id and id = new.invoice_id for share) is distinct from 'draft' then
    raise exception 'lines join a draft only' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger guard before insert on billing.invoice_line for each row execute function billing.invoice_line_guard();
