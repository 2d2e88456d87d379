-- Of an unknown run only the devices that are unknown themselves stay held.
create or replace function runs.release_known(p_tenant uuid, p_run uuid) returns void language sql as $$
  delete from runs.device_hold h using runs.run_device x
  where h.tenant_id = p_tenant and h.run_id = p_run and x.tenant_id = h.tenant_id and x.run_id = h.run_id and x.device_id = h.device_id
    and x.outcome <> 'unknown'
$$;
