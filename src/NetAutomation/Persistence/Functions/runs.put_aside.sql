-- Puts a run aside.
create or replace function runs.put_aside(q runs.queue, p_for text, p_on uuid, p_look_at timestamptz) returns void language plpgsql as $$
begin
  update runs.queue set ready = false, waits_for = p_for, waits_on = p_on, look_at = least(p_look_at, now() + interval '5 minutes')
    where tenant_id = q.tenant_id and run_id = q.run_id;
  if q.waits_on is distinct from p_on then perform runs.wake_next(q.tenant_id, q.waits_for, q.waits_on); end if;
end $$;
