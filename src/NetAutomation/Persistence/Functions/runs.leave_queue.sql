create or replace function runs.leave_queue() returns trigger language plpgsql as $$
declare q record;
begin
  perform runs.lock_quota(new.tenant_id);
  delete from runs.waiting_writer where tenant_id = new.tenant_id and run_id = new.id;
  delete from runs.queue where tenant_id = new.tenant_id and run_id = new.id returning waits_for, waits_on into q;
  if found then
    update runs.tenant_quota set left_queue = left_queue + 1 where tenant_id = new.tenant_id;
  end if;
  perform runs.wake_next(new.tenant_id, q.waits_for, q.waits_on);
  return null;
end $$;
create or replace trigger leave_queue after update of state on runs.run for each row
  when (old.state = 'queued' and new.state <> 'queued') execute function runs.leave_queue();
