-- Whether what the tenant's runs of this month (UTC) left is more than it may have.
create or replace function runs.output_used_up(p_tenant uuid) returns boolean language sql stable as $$
  select exists (
    select from runs.output(p_tenant) o
    cross join lateral (values ('event_rows', o.event_rows), ('artifact_bytes', o.artifact_bytes)) as u (name, used)
    join web.limit_default d on d.name = u.name
    left join web.tenant_limit l on l.tenant_id = p_tenant and l.name = u.name
    where u.used >= coalesce(l.max, d.max))
$$;
