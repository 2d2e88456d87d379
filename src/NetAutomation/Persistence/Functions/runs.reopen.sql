-- Makes runs claimable whose window may have opened, and runs that were not looked at for long.
create or replace function runs.reopen() returns void language sql as $$
  update runs.queue q set ready = true, look_at = null
  from (select tenant_id, run_id from runs.queue where look_at <= now() order by look_at limit 500 for update skip locked) due
  where q.tenant_id = due.tenant_id and q.run_id = due.run_id
$$;
