create or replace function runs.devices_freed() returns trigger language plpgsql as $$
declare g record;
begin
  for g in select tenant_id, array_agg(distinct device_id) as devices from gone group by tenant_id order by tenant_id loop
    perform runs.lock_quota(g.tenant_id);
    perform runs.wake_devices(g.tenant_id, g.devices);
  end loop;
  return null;
end $$;
create or replace trigger freed after delete on runs.device_hold referencing old table as gone
  for each statement execute function runs.devices_freed();
create or replace trigger freed after delete on runs.waiting_writer referencing old table as gone
  for each statement execute function runs.devices_freed();
