-- Whether a rule of the tenant asks for an approval of a write by this block on these devices.
create or replace function runs.needs_approval(p_tenant uuid, p_block text, p_effect text, p_devices uuid[]) returns boolean
language sql stable as $$
  select exists (select from runs.approval_rule(p_tenant, p_block, p_effect, p_devices))
$$;
