-- The runs of a tenant in the queue, and what its runs of this month (UTC) left when they ended. It waits for no lock: the queue is never
-- longer than it says by those that are entering it at this moment.
create or replace function runs.output(p_tenant uuid) returns table (queued bigint, event_rows bigint, artifact_bytes bigint)
language sql stable as $$
  select coalesce(l.used, 0) - coalesce(q.left_queue, 0),
    case when q.month = date_trunc('month', now() at time zone 'UTC')::date then q.event_rows else 0 end,
    case when q.month = date_trunc('month', now() at time zone 'UTC')::date then q.artifact_bytes else 0 end
  from (select 1) one
  left join web.tenant_limit l on l.tenant_id = p_tenant and l.name = 'queued_runs'
  left join runs.tenant_quota q on q.tenant_id = p_tenant
$$;
