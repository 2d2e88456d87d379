create or replace function runs.enter_queue() returns trigger language plpgsql as $$
begin
  insert into runs.queue (tenant_id, run_id, priority, created_at, exclusive)
    values (new.tenant_id, new.id, new.priority, new.created_at, new.writes);
  return null;
end $$;
create or replace trigger enter_queue after insert on runs.run
  for each row when (new.state = 'queued') execute function runs.enter_queue();
create or replace trigger enter_queue_again after update of state on runs.run for each row
  when (new.state = 'queued' and old.state <> 'queued') execute function runs.enter_queue();
