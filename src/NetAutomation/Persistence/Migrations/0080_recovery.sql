-- Runs whose worker is gone, and runs that a person decides.
alter table runs.run add column resolution jsonb;
alter table runs.run add check (state <> 'resolved' or resolution is not null);

-- Takes runs away from workers that stopped renewing. A raised fence makes sure that such a worker, should it wake, writes nothing more.
-- Claimed: nothing was contacted, so back to the queue. A run that only reads: back to the queue, three attempts at most. Else every
-- device without an outcome is unknown and stays held; the others are released. Not while the database itself has just started: then
-- nobody could renew.
create function runs.rescue(p_grace interval, p_uptime interval) returns table (tenant_id uuid, run_id uuid, state text) language plpgsql as $$
#variable_conflict use_column
declare r runs.run; f bigint; d record; n bigint;
begin
  if pg_postmaster_start_time() > now() - p_uptime then return; end if;
  for r in
    select * from runs.run q where q.state in ('claimed', 'running', 'cancelling') and q.lease_until < now() - p_grace
    order by q.lease_until limit 50 for update skip locked
  loop
    update runs.fence_counter set value = value + 1 where tenant_id = r.tenant_id returning value into f;
    update runs.run set fence = f where tenant_id = r.tenant_id and id = r.id;
    if r.state = 'claimed' then
      perform runs.move(r.tenant_id, r.id, f, array['claimed'], 'queued', 'rescue', 'worker_lost');
      delete from runs.device_hold where tenant_id = r.tenant_id and run_id = r.id;
      return query select r.tenant_id, r.id, 'queued';
      continue;
    end if;
    perform runs.move(r.tenant_id, r.id, f, array['running', 'cancelling'], 'unknown', 'rescue', 'worker_lost');
    if r.state = 'running' and (r.effect = 'read' or r.mode = 'check') and r.attempt < 3 then
      update runs.run_device set phase = 'waiting', started_at = null where tenant_id = r.tenant_id and run_id = r.id and outcome is null;
      delete from runs.device_hold where tenant_id = r.tenant_id and run_id = r.id;
      perform runs.move(r.tenant_id, r.id, f, array['unknown'], 'queued', 'rescue', 'nothing_was_changed');
      return query select r.tenant_id, r.id, 'queued';
      continue;
    end if;
    for d in
      update runs.run_device set phase = 'done', outcome = 'unknown', code = 'worker_lost', finished_at = now()
      where tenant_id = r.tenant_id and run_id = r.id and outcome is null returning device_id
    loop
      update runs.run set last_seq = last_seq + 1 where tenant_id = r.tenant_id and id = r.id returning last_seq into n;
      insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, device_id, data)
        values (r.tenant_id, r.id, r.created_day, n, 'device_outcome', r.attempt, d.device_id,
                '{"outcome":"unknown","changed":null,"code":"worker_lost","message":null}');
    end loop;
    delete from runs.device_hold h using runs.run_device x
      where h.tenant_id = r.tenant_id and h.run_id = r.id and x.tenant_id = h.tenant_id and x.run_id = h.run_id and x.device_id = h.device_id
        and x.outcome <> 'unknown';
    return query select r.tenant_id, r.id, 'unknown';
  end loop;
end $$;
