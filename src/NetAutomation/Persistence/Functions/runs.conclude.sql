-- Gives devices that no worker reports their outcome, each with its event: these, or all that have none. An outcome that is known stands.
-- The caller holds the run's lock.
create or replace procedure runs.conclude(p_tenant uuid, p_run uuid, p_devices uuid[], p_outcome text, p_changed boolean, p_code text)
language plpgsql as $$
begin
  with told as (
    update runs.run_device d set phase = 'done', outcome = p_outcome, changed = p_changed, code = p_code,
      finished_at = coalesce(finished_at, now())
    where tenant_id = p_tenant and run_id = p_run
      and case when p_devices is null then outcome is null else device_id = any (p_devices) and coalesce(outcome, 'unknown') = 'unknown' end
    returning device_id, position, message),
  head as (
    update runs.run r set last_seq = r.last_seq + t.count from (select count(*) from told) t
    where r.tenant_id = p_tenant and r.id = p_run and t.count > 0
    returning r.created_day, r.attempt, r.last_seq - t.count as before)
  insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, device_id, data)
    select p_tenant, p_run, h.created_day, h.before + row_number() over (order by t.position), 'device_outcome', h.attempt, t.device_id,
      runs.outcome_event(p_outcome, p_changed, p_code, t.message)
    from head h, told t;
end $$;
