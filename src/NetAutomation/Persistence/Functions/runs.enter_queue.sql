-- A new run is refused here where the queue is full or the month's output is used up. Transactions that take the last places together are
-- told apart at their commits, by runs.count_queued. A run that comes back, because its worker was lost, is never refused.
create or replace function runs.enter_queue() returns trigger language plpgsql as $$
declare o record; looks boolean := false;
begin
  if tg_op = 'INSERT' then
    select * into o from runs.output(new.tenant_id);
    perform web.refuse_above(new.tenant_id, 'queued_runs', o.queued, 1);
    perform web.refuse_above(new.tenant_id, 'event_rows', o.event_rows, 1);
    perform web.refuse_above(new.tenant_id, 'artifact_bytes', o.artifact_bytes, 1);
  else
    update runs.tenant_quota set left_queue = left_queue - 1 where tenant_id = new.tenant_id;
    -- A cancelled run comes back for nothing else.
    looks := new.cancel_requested_at is not null or exists (select from runs.run_device d
      where d.tenant_id = new.tenant_id and d.run_id = new.id and d.outcome is null and d.kept_at is not null);
  end if;
  -- Long is what may take longer than a run whose start names no limit.
  insert into runs.queue (tenant_id, run_id, priority, created_at, exclusive, looks, long)
    values (new.tenant_id, new.id, new.priority, new.created_at, new.writes, looks, new.timeout_seconds > 600 and not looks);
  return null;
end $$;
create or replace trigger enter_queue after insert on runs.run
  for each row when (new.state = 'queued') execute function runs.enter_queue();
create or replace trigger enter_queue_again after update of state on runs.run for each row
  when (new.state = 'queued' and old.state <> 'queued') execute function runs.enter_queue();
