-- Whether a rule of the tenant asks for an approval of a write by this block on these devices. Members of a rule that are null fit all.
create or replace function runs.needs_approval(p_tenant uuid, p_block text, p_effect text, p_devices uuid[]) returns boolean
language sql stable as $$
  select exists (
    select from runs.change_policy p, jsonb_array_elements(p.rules) rule
    where p.tenant_id = p_tenant
      and coalesce(rule ->> 'block', p_block) = p_block and coalesce(rule ->> 'effect', p_effect) = p_effect
      and (coalesce(rule -> 'labels', '{}') in ('null', '{}') or exists (
        select from inventory.device d
        where d.tenant_id = p_tenant and d.id = any (p_devices) and d.labels @> (rule -> 'labels'))))
$$;
