create or replace function runs.device_relabelled() returns trigger language plpgsql as $$
begin
  insert into runs.relabelled_device (tenant_id, device_id)
    values (coalesce(new.tenant_id, old.tenant_id), coalesce(new.id, old.id));
  return null;
end $$;
create or replace trigger listed after insert or delete on inventory.device
  for each row execute function runs.device_relabelled();
create or replace trigger relabelled after update of labels on inventory.device
  for each row when (old.labels is distinct from new.labels) execute function runs.device_relabelled();
