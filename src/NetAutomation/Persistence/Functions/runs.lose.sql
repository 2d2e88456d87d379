-- Takes a run from its worker; a raised fence makes sure that this worker writes nothing more. Claimed: nothing was contacted, so back to
-- the queue. Else runs.next_attempt says whether it is tried again. Where it is not, every device without an outcome is unknown. What may
-- have been configured, and what is unknown, stays held until a person resolves it. What a cancelled run has not begun, it does not begin.
-- Null: another state, or the fence has moved on.
create or replace function runs.lose(p_tenant uuid, p_run uuid, p_fence bigint, p_by text, p_reason text) returns text
language plpgsql as $$
declare r runs.run; f bigint; next text; untouched uuid[];
begin
  select * into r from runs.run where tenant_id = p_tenant and id = p_run for update;
  if not found or r.fence <> p_fence or not r.state in ('claimed', 'running', 'cancelling') then return null; end if;
  update runs.fence_counter set value = value + 1 where tenant_id = p_tenant returning value into f;
  update runs.run set fence = f where tenant_id = p_tenant and id = p_run;
  next := case when r.state = 'claimed' then 'queue'
    -- What a cancelled one has begun is looked at.
    when r.state = 'running' or r.guard is not null then runs.next_attempt(r) end;
  if r.state <> 'claimed' then perform runs.move(p_tenant, p_run, f, array['running', 'cancelling'], 'unknown', p_by, p_reason); end if;

  if next is null then
    call runs.conclude(p_tenant, p_run, null, 'unknown', null, p_reason);
    return 'unknown';
  end if;

  if r.cancel_requested_at is not null then
    untouched := array(select device_id from runs.run_device
      where tenant_id = p_tenant and run_id = p_run and outcome is null and kept_at is null);
    call runs.conclude(p_tenant, p_run, untouched, 'not_started', false, 'cancelled');
  end if;
  -- Also where its worker had not yet begun to look.
  update runs.run_device set phase = case when kept_at is not null then 'reverting' else 'waiting' end,
    started_at = null, verify = verify or next = 'verify' or kept_at is not null
    where tenant_id = p_tenant and run_id = p_run and outcome is null;
  delete from runs.device_hold h using runs.run_device x
    where h.tenant_id = p_tenant and h.run_id = p_run and x.tenant_id = h.tenant_id and x.run_id = h.run_id and x.device_id = h.device_id
      and (not r.writes or case when x.outcome is null then not x.verify else x.outcome <> 'unknown' end);
  perform runs.move(p_tenant, p_run, f, array['claimed', 'unknown'], 'queued', p_by,
    case when r.state = 'claimed' then p_reason when next = 'queue' then 'nothing_was_changed'
      when next = 'look' then 'look_what_it_came_to'
      else 'verify_then_once_more' end);
  return 'queued';
end $$;
