-- The first rule of the tenant that asks for an approval of a write by this block on these devices, with one that has its labels. Members
-- of a rule that are null fit all.
create or replace function runs.approval_rule(p_tenant uuid, p_block text, p_effect text, p_devices uuid[])
returns table (place bigint, rule jsonb, device text) language sql stable as $$
  select each.place - 1, each.rule, d.name
  from runs.change_policy p cross join jsonb_array_elements(p.rules) with ordinality each (rule, place)
    cross join lateral (select coalesce(nullif(each.rule -> 'labels', 'null'), '{}') as labels) wanted
    left join lateral (
      select name from inventory.device i
      where i.tenant_id = p_tenant and i.id = any (p_devices) and wanted.labels <> '{}' and i.labels @> wanted.labels
      order by name limit 1) d on true
  where p.tenant_id = p_tenant
    and coalesce(each.rule ->> 'block', p_block) = p_block and coalesce(each.rule ->> 'effect', p_effect) = p_effect
    and (wanted.labels = '{}' or d.name is not null)
  order by each.place limit 1
$$;
