-- Makes the next runs at a site ready that has a connector again, in the order of the queue, and the tenant's looks, which
-- begin with whichever site comes back first. The caller holds the quota's lock.
create or replace function runs.wake_site(p_tenant uuid, p_site uuid) returns void language sql as $$
  update runs.queue set ready = true where tenant_id = p_tenant and looks and waits_for = 'connector' and not ready;
  update runs.queue q set ready = true
  from (
    (select x.priority, x.created_at, x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = p_site and x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 20)
    union all
    (select x.priority, x.created_at, x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = p_site and not x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 20)
    order by 1 desc, 2, 3 limit 20) n
  where q.tenant_id = p_tenant and q.run_id = n.run_id and not q.ready
$$;
