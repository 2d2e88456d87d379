create or replace function runs.window_changed() returns trigger language plpgsql as $$
begin
  perform runs.lock_quota(new.tenant_id);
  update runs.queue set ready = true where tenant_id = new.tenant_id and waits_for = 'window' and not ready;
  return null;
end $$;
create or replace trigger changed_terms after update on runs.maintenance_window for each row
  when ((old.kind, old.selector, old.known_until) is distinct from (new.kind, new.selector, new.known_until))
  execute function runs.window_changed();
