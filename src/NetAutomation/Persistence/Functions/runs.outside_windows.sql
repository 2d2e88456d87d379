-- True where a device the run has left is in a deny window, or outside every allow window that applies to it. A deny window whose
-- intervals are not known denies.
create or replace function runs.outside_windows(p_tenant uuid, p_run uuid, p_at timestamptz) returns boolean language plpgsql stable as $$
begin
  if not exists (select from runs.maintenance_window where tenant_id = p_tenant) then return false; end if;
  return exists (
    select from runs.run_device d
    cross join lateral (
      select count(*) filter (where w.kind = 'deny' and (o.open or w.known_until <= p_at)) as denied,
        count(*) filter (where w.kind = 'allow') as allows, count(*) filter (where w.kind = 'allow' and o.open) as allowed
      from runs.maintenance_window w
      cross join lateral (select exists (
        select from runs.window_interval i
        where i.tenant_id = w.tenant_id and i.window_id = w.id and i.starts_at <= p_at and i.ends_at > p_at) as open) o
      where w.tenant_id = d.tenant_id and (w.selector is null or exists (
        select from runs.window_device x where x.tenant_id = w.tenant_id and x.window_id = w.id and x.device_id = d.device_id))) g
    where d.tenant_id = p_tenant and d.run_id = p_run and d.outcome is null and (g.denied > 0 or (g.allows > 0 and g.allowed = 0)));
end $$;
