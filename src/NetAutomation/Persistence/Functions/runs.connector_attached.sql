create or replace function runs.connector_attached() returns trigger language plpgsql as $$
begin
  perform runs.lock_quota(new.tenant_id);
  perform runs.wake_site(c.tenant_id, c.site_id) from connectors.connector c where c.tenant_id = new.tenant_id and c.id = new.connector_id;
  return null;
end $$;
create or replace trigger attached after insert on connectors.connector_session for each row
  when (new.state = 'attached') execute function runs.connector_attached();
create or replace trigger attached_again after update of state on connectors.connector_session for each row
  when (new.state = 'attached' and old.state <> 'attached') execute function runs.connector_attached();
-- A session counts for a minute after it was last seen.
create or replace trigger attached_still after update of seen_at on connectors.connector_session for each row
  when (new.state = 'attached' and old.seen_at < new.seen_at - interval '50 seconds') execute function runs.connector_attached();
