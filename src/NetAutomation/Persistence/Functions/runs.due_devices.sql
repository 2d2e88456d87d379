-- The devices that the next attempt of a queued run is for, and whether it can take each now. Where changes that a lost attempt has begun
-- are to be looked at, it is for those alone, and takes those that a connector reaches: each goes back as soon as it can. Nobody waits for
-- ever for the connector of a cancelled one, but for as long as for a device that does not answer.
create or replace function runs.due_devices(p_tenant uuid, p_run uuid)
returns table (device_id uuid, name text, site_id uuid, due boolean, looks boolean, exclusive boolean, queued_at timestamptz)
language sql stable as $$
  select d.device_id, d.name, d.site_id,
    d.site_id in (
      select c.site_id from connectors.connector c
        join connectors.connector_session s on s.tenant_id = c.tenant_id and s.connector_id = c.id
      where c.tenant_id = p_tenant and s.state = 'attached' and s.seen_at > now() - interval '1 minute')
    or (q.looks and r.cancel_requested_at is not null and d.reverts_at < now() - interval '11 minutes'),
    q.looks, q.exclusive, q.created_at
  from runs.queue q
  join runs.run r on r.tenant_id = q.tenant_id and r.id = q.run_id
  join runs.run_device d on d.tenant_id = q.tenant_id and d.run_id = q.run_id
  where q.tenant_id = p_tenant and q.run_id = p_run and d.outcome is null and (not q.looks or d.kept_at is not null)
$$;
