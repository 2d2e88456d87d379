-- A run that has to find out what became of changes which a lost attempt has begun: it goes before new work, see runs.claim.
alter table runs.queue add column looks boolean not null default false;
create index queue_looks on runs.queue (tenant_id, created_at) where looks;
-- It is not among the running runs that the tenant's quota counts.
alter table runs.attempt add column looks boolean not null default false;
-- What such an attempt did not take goes on from the queue.
insert into runs.legal_transition values ('running', 'queued'), ('cancelling', 'queued');

alter table runs.queue no force row level security;
alter table runs.run_device no force row level security;
update runs.queue q set looks = true, long = false
where exists (select from runs.run_device d
  where d.tenant_id = q.tenant_id and d.run_id = q.run_id and d.outcome is null and d.kept_at is not null);
alter table runs.queue force row level security;
alter table runs.run_device force row level security;
