-- Takes a run from its worker; a raised fence makes sure that this worker writes nothing more. Claimed: nothing was contacted, so back to
-- the queue. A run that only reads: back to the queue, three attempts at most. An idempotent one: its unfinished devices stay held and
-- are looked at, then configured once more, by a second attempt and no third. Else every device without an outcome is unknown and stays
-- held until somebody knows better. Null: it stood elsewhere, or the fence has moved on.
create or replace function runs.lose(p_tenant uuid, p_run uuid, p_fence bigint, p_by text, p_reason text) returns text language plpgsql as $$
declare r runs.run; f bigint; d record; n bigint; next text;
begin
  select * into r from runs.run where tenant_id = p_tenant and id = p_run for update;
  if not found or r.fence <> p_fence or not r.state in ('claimed', 'running', 'cancelling') then return null; end if;
  update runs.fence_counter set value = value + 1 where tenant_id = p_tenant returning value into f;
  update runs.run set fence = f where tenant_id = p_tenant and id = p_run;
  next := case
    when r.state = 'claimed' then 'queue'
    when r.state = 'cancelling' then 'unknown'
    when (r.effect = 'read' or r.mode = 'check') and r.attempt < 3 then 'queue'
    when r.effect = 'idempotent' and r.mode = 'apply'
      and not exists (select from runs.run_device x where x.tenant_id = p_tenant and x.run_id = p_run and x.verify) then 'verify'
    else 'unknown' end;
  if r.state <> 'claimed' then perform runs.move(p_tenant, p_run, f, array['running', 'cancelling'], 'unknown', p_by, p_reason); end if;

  if next <> 'unknown' then
    update runs.run_device set phase = 'waiting', started_at = null, verify = next = 'verify'
      where tenant_id = p_tenant and run_id = p_run and outcome is null;
    delete from runs.device_hold h using runs.run_device x
      where h.tenant_id = p_tenant and h.run_id = p_run and x.tenant_id = h.tenant_id and x.run_id = h.run_id and x.device_id = h.device_id
        and (next = 'queue' or x.outcome <> 'unknown');
    perform runs.move(p_tenant, p_run, f, array['claimed', 'unknown'], 'queued', p_by,
                      case when r.state = 'claimed' then p_reason when next = 'queue' then 'nothing_was_changed' else 'verify_then_once_more' end);
    return 'queued';
  end if;

  for d in
    update runs.run_device set phase = 'done', outcome = 'unknown', code = p_reason, finished_at = now()
    where tenant_id = p_tenant and run_id = p_run and outcome is null returning device_id
  loop
    update runs.run set last_seq = last_seq + 1 where tenant_id = p_tenant and id = p_run returning last_seq into n;
    insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, device_id, data)
      values (p_tenant, p_run, r.created_day, n, 'device_outcome', r.attempt, d.device_id,
              jsonb_build_object('outcome', 'unknown', 'changed', null, 'code', p_reason, 'message', null));
  end loop;
  perform runs.release_known(p_tenant, p_run);
  return 'unknown';
end $$;
