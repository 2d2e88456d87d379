-- The limits of a tenant and how much of each is used.
create or replace function web.limits(p_tenant uuid) returns table (name text, max bigint, used bigint) language sql stable as $$
  select d.name, coalesce(l.max, d.max), case d.name
    when 'api_keys' then (select count(*) from onboarding.api_key k where k.tenant_id = p_tenant and k.revoked_at is null
                          and (k.expires_at is null or k.expires_at > now()))
    when 'connectors' then (select count(*) from connectors.connector c where c.tenant_id = p_tenant and c.state <> 'revoked')
    when 'aws_accounts' then (select count(*) from onboarding.tenant_account a where a.tenant_id = p_tenant and a.active)
                           + (select count(*) from onboarding.account_challenge a where a.tenant_id = p_tenant)
    when 'members' then (select count(*) from onboarding.member m where m.tenant_id = p_tenant)
    when 'quotes' then (select count(*) from runs.quote q where q.tenant_id = p_tenant and q.open and q.expires_at > now())
    when 'device_tests' then (select count(*) from execution.device_test t where t.tenant_id = p_tenant and t.finished_at is null)
    when 'queued_runs' then (select q.queued from runs.output(p_tenant) q)
    when 'event_rows' then (select q.event_rows from runs.output(p_tenant) q)
    when 'artifact_bytes' then (select q.artifact_bytes from runs.output(p_tenant) q)
    when 'history_bytes' then (select coalesce(sum(h.bytes), 0)::bigint from history.device h where h.tenant_id = p_tenant)
    else coalesce(l.used, 0) end
  from web.limit_default d left join web.tenant_limit l on l.tenant_id = p_tenant and l.name = d.name
$$;
