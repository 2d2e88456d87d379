-- A run no longer waits for this; the next ones may be claimed.
create or replace function runs.wake_next(p_tenant uuid, p_waits_for text, p_waits_on uuid) returns void language plpgsql as $$
begin
  if p_waits_for = 'device' then perform runs.wake_devices(p_tenant, array[p_waits_on]);
  elsif p_waits_for = 'connector' then perform runs.wake_site(p_tenant, p_waits_on);
  end if;
end $$;
