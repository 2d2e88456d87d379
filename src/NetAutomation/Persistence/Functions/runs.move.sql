-- The one way a run changes state: checks its state and the fence that is asked for, writes the transition and its event, and releases
-- the devices: all on an ending; those with a known outcome where the run is unknown or queued again. Null: another state, or the fence
-- has moved on.
create or replace function runs.move(
  p_tenant uuid, p_run uuid, p_fence bigint, p_from text[], p_to text, p_by text, p_reason text default null,
  p_charged bigint default null, p_failure_code text default null, p_failure_detail text default null) returns bigint language plpgsql as $$
declare r runs.run; ends boolean; steps int; looked boolean;
begin
  select * into r from runs.run where tenant_id = p_tenant and id = p_run for update;
  if not found or not r.state = any (p_from) or (p_fence is not null and r.fence <> p_fence) then return null; end if;
  select terminal into ends from runs.run_state where state = p_to;
  steps := case when ends then 2 else 1 end;
  insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by, reason)
    values (p_tenant, p_run, r.transition + 1, r.state, p_to, r.fence, p_by, p_reason);
  update runs.run set state = p_to, terminal = ends, transition = r.transition + 1, last_seq = r.last_seq + steps,
    started_at = case when p_to = 'running' then coalesce(started_at, now()) else started_at end,
    cancel_requested_at = case when p_to = 'cancelling' then coalesce(cancel_requested_at, now()) else cancel_requested_at end,
    finished_at = case when ends then now() end, final_seq = case when ends then r.last_seq + steps end, charged_micros = p_charged,
    failure_code = p_failure_code, failure_detail = p_failure_detail
    where tenant_id = p_tenant and id = p_run;
  insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
    values (p_tenant, p_run, r.created_day, r.last_seq + 1, 'state', r.attempt,
            jsonb_strip_nulls(jsonb_build_object('state', p_to, 'from', r.state, 'reason', p_reason)));
  if ends then
    insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
      values (p_tenant, p_run, r.created_day, r.last_seq + 2, 'output_complete', r.attempt, jsonb_build_object('finalSeq', r.last_seq + 2));
    delete from runs.device_hold where tenant_id = p_tenant and run_id = p_run;
  elsif p_to in ('unknown', 'queued') then
    perform runs.release_known(p_tenant, p_run);
  end if;
  if r.state in ('claimed', 'running', 'cancelling') and (ends or p_to in ('queued', 'unknown')) then
    update runs.attempt set ended_at = now(), ending = p_to where tenant_id = p_tenant and run_id = p_run and attempt = r.attempt
      returning looks into looked;
    if not looked then update runs.tenant_quota set running = running - 1 where tenant_id = p_tenant; end if;
  end if;
  if ends then
    perform runs.count_output(p_tenant, p_run, r.last_seq + steps);
  end if;
  return r.last_seq + steps;
end $$;
