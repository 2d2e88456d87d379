create or replace function billing.metering_refuse(what text) returns void language plpgsql as $$
begin
  raise exception '%', what using errcode = 'restrict_violation';
end $$;
