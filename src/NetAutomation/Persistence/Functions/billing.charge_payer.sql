create or replace function billing.charge_payer() returns trigger language plpgsql as $$
begin
  new.payer_id := case when new.channel = 'marketplace' then (
    select a.payer_id from billing.account a where a.tenant_id = new.tenant_id) end;
  return new;
end $$;
create or replace trigger payer before insert on billing.charge for each row execute function billing.charge_payer();
