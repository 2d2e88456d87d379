-- Makes the next runs at these devices ready: the first writer, and the first readers that no waiting writer bars. Each run that then
-- leaves the device, by a claim or to wait elsewhere, makes the next ready. The caller holds the quota's lock.
create or replace function runs.wake_devices(p_tenant uuid, p_devices uuid[]) returns void language sql as $$
  update runs.queue q set ready = true
  from unnest(p_devices) d cross join lateral (
    (select x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = d and x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 1)
    union all
    (select x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = d and not x.exclusive and x.created_at <= coalesce(
       (select min(w.queued_at) from runs.waiting_writer w where w.tenant_id = p_tenant and w.device_id = d), 'infinity')
     order by x.priority desc, x.created_at, x.run_id limit 20)) n
  where q.tenant_id = p_tenant and q.run_id = n.run_id and not q.ready
$$;
