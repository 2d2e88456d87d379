-- Takes runs from workers that stopped renewing. Not while the database itself has just started: no worker could renew then.
create or replace function runs.rescue(p_grace interval, p_uptime interval)
returns table (tenant_id uuid, run_id uuid, state text) language plpgsql as $$
#variable_conflict use_column
declare r record;
begin
  if pg_postmaster_start_time() > now() - p_uptime then return; end if;
  for r in
    select q.tenant_id, q.id, q.fence from runs.run q
    where q.state in ('claimed', 'running', 'cancelling') and q.lease_until < now() - p_grace
    order by q.lease_until limit 50 for update skip locked
  loop
    return query select r.tenant_id, r.id, runs.lose(r.tenant_id, r.id, r.fence, 'rescue', 'worker_lost');
  end loop;
end $$;
