-- How a device is reached, and the key it has to show, stay as they are while a run that writes holds it: another attempt of the run must
-- find the device that the first one left. A pin may still be added where there is none.
create or replace function runs.keep_reach() returns trigger language plpgsql as $$
begin
  -- A claim shares a lock of the device when it takes the hold. Wait for one that is under way.
  perform from inventory.device where tenant_id = old.tenant_id and id = old.id for update;
  if exists (select from runs.device_hold where tenant_id = old.tenant_id and device_id = old.id and exclusive = 1) then
    raise exception 'a run holds the device' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create or replace trigger keep_reach before update on inventory.device for each row
  when ((old.site_id, old.address, old.port) is distinct from (new.site_id, new.address, new.port)
    or (old.host_key_sha256 is not null and old.host_key_sha256 is distinct from new.host_key_sha256))
  execute function runs.keep_reach();
