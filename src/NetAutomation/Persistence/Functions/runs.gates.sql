-- The obstacles of a queued run, apart from windows and its tenant's quota. A run's own holds, kept from a lost attempt, are none, and a
-- look begins with the first device that can be reached. Claim and GET /why read the same function, so they cannot disagree.
create or replace function runs.gates(p_tenant uuid, p_run uuid)
returns table (code text, device_id uuid, name text, site_id uuid, holder uuid, readers boolean) language sql stable as $$
  select 'connector_absent', d.device_id, d.name, d.site_id, null::uuid, false
  from (select x.*, bool_or(due) over () as any_due from runs.due_devices(p_tenant, p_run) x) d
  where not d.due and not (d.looks and d.any_due)
  union all
  select 'device_held', d.device_id, d.name, d.site_id, h.run_id, h.exclusive = 0
  from runs.due_devices(p_tenant, p_run) d
  join runs.device_hold h on h.tenant_id = p_tenant and h.device_id = d.device_id and h.run_id <> p_run
  where d.exclusive or h.exclusive = 1
  union all
  select 'writer_waiting', d.device_id, d.name, d.site_id, w.run_id, false
  from runs.due_devices(p_tenant, p_run) d
  cross join lateral (select w.run_id, w.queued_at from runs.waiting_writer w where w.tenant_id = p_tenant and w.device_id = d.device_id
                      order by w.queued_at limit 1) w
  where not d.exclusive and w.queued_at < d.queued_at
$$;
