create or replace function billing.reconcile(p_tenant uuid, p_since timestamptz, p_grace interval)
returns table (check_name text, subject text, detail text) language sql stable as $$
  select * from billing.reconcile_runs(p_tenant, billing.first_id(p_since))
  union all
  select * from billing.reconcile_books(p_tenant, billing.first_id(p_since), p_since, p_grace)
  union all
  select * from billing.reconcile_metering(p_tenant, p_since)
$$;
