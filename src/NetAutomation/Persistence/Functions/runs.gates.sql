-- The obstacles of a queued run, apart from windows and its tenant's quota. A run's own holds, kept from a lost attempt, are none. Claim
-- and GET /why read the same function, so they cannot disagree.
create or replace function runs.gates(p_tenant uuid, p_run uuid)
returns table (code text, device_id uuid, name text, site_id uuid, holder uuid, readers boolean) language sql stable as $$
  select 'connector_absent', d.device_id, d.name, d.site_id, null::uuid, false
  from runs.run_device d
  where d.tenant_id = p_tenant and d.run_id = p_run and d.outcome is null and not exists (
    select from connectors.connector c join connectors.connector_session s on s.tenant_id = c.tenant_id and s.connector_id = c.id
    where c.tenant_id = d.tenant_id and c.site_id = d.site_id and s.state = 'attached' and s.seen_at > now() - interval '1 minute')
  union all
  select 'device_held', d.device_id, d.name, d.site_id, h.run_id, h.exclusive = 0
  from runs.queue q
  join runs.run_device d on d.tenant_id = q.tenant_id and d.run_id = q.run_id and d.outcome is null
  join runs.device_hold h on h.tenant_id = d.tenant_id and h.device_id = d.device_id and h.run_id <> d.run_id
  where q.tenant_id = p_tenant and q.run_id = p_run and (q.exclusive or h.exclusive = 1)
  union all
  select 'writer_waiting', d.device_id, d.name, d.site_id, w.run_id, false
  from runs.queue q
  join runs.run_device d on d.tenant_id = q.tenant_id and d.run_id = q.run_id and d.outcome is null
  cross join lateral (select w.run_id, w.queued_at from runs.waiting_writer w where w.tenant_id = d.tenant_id and w.device_id = d.device_id
                      order by w.queued_at limit 1) w
  where q.tenant_id = p_tenant and q.run_id = p_run and not q.exclusive and w.queued_at < q.created_at
$$;
