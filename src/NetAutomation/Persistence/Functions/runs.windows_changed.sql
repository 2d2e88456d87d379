create or replace function runs.windows_changed() returns trigger language plpgsql as $$
declare t uuid;
begin
  for t in select distinct tenant_id from changed order by tenant_id loop
    perform runs.lock_quota(t);
    update runs.queue set ready = true where tenant_id = t and waits_for = 'window' and not ready;
  end loop;
  return null;
end $$;

-- The cascade deletes rows of a window as the tables' owner; the window's own trigger reports them.
create or replace trigger changed after delete on runs.maintenance_window referencing old table as changed
  for each statement execute function runs.windows_changed();
create or replace trigger intervals_added after insert on runs.window_interval referencing new table as changed
  for each statement execute function runs.windows_changed();
create or replace trigger intervals_gone after delete on runs.window_interval referencing old table as changed for each statement
  when (pg_trigger_depth() = 0) execute function runs.windows_changed();
create or replace trigger devices_added after insert on runs.window_device referencing new table as changed
  for each statement execute function runs.windows_changed();
create or replace trigger devices_gone after delete on runs.window_device referencing old table as changed for each statement
  when (pg_trigger_depth() = 0) execute function runs.windows_changed();
create or replace trigger looked_at after delete on runs.relabelled_device referencing old table as changed
  for each statement execute function runs.windows_changed();
