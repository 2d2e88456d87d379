-- Takes runs from workers that stopped renewing. Not while the database itself has just started: no worker could renew then. A tenant
-- whose locks are held has its turn the next time, and delays no other.
create or replace function runs.rescue(p_grace interval, p_uptime interval)
returns table (tenant_id uuid, run_id uuid, state text) language plpgsql as $$
#variable_conflict use_column
declare r record; held uuid[] := '{}';
begin
  if pg_postmaster_start_time() > now() - p_uptime then return; end if;
  perform set_config('lock_timeout', '1s', true);
  for r in
    select q.tenant_id, q.id, q.fence from runs.run q
    where q.state in ('claimed', 'running', 'cancelling') and q.lease_until < now() - p_grace
    order by q.lease_until limit 50 for update skip locked
  loop
    continue when r.tenant_id = any (held);
    begin
      return query select r.tenant_id, r.id, runs.lose(r.tenant_id, r.id, r.fence, 'rescue', 'worker_lost');
    exception when lock_not_available then
      held := held || r.tenant_id;
    end;
  end loop;
end $$;
