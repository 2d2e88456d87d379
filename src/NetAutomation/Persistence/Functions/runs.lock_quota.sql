create or replace function runs.lock_quota(p_tenant uuid) returns void language plpgsql as $$
begin
  insert into runs.tenant_quota (tenant_id) values (p_tenant) on conflict (tenant_id) do nothing;
  perform from runs.tenant_quota where tenant_id = p_tenant for update;
end $$;
