-- Counts a run into the queue at the commit, so that the starts of a tenant wait for each other only that long. A refusal tells how many
-- others are in the queue, without the runs that this transaction brought before.
create or replace function runs.count_queued() returns trigger language plpgsql as $$
declare entered bigint; mine bigint := coalesce(nullif(current_setting('runs.entered', true), '')::bigint, 0);
begin
  perform set_config('runs.entered', (mine + 1)::text, true);
  insert into web.tenant_limit as l (tenant_id, name, used) values (new.tenant_id, 'queued_runs', 1)
    on conflict (tenant_id, name) do update set used = l.used + 1 returning used into entered;
  perform web.refuse_above(new.tenant_id, 'queued_runs',
    entered - 1 - mine - coalesce((select left_queue from runs.tenant_quota where tenant_id = new.tenant_id), 0), mine + 1);
  return null;
end $$;
drop trigger if exists count_queued on runs.run;
create constraint trigger count_queued after insert on runs.run deferrable initially deferred
  for each row when (new.state = 'queued') execute function runs.count_queued();
