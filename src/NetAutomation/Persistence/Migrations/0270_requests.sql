-- What was asked for stays with what was made of it, as one value: without block, version, mode, targets and input, which have columns.
alter table runs.quote add request jsonb not null default '{}', add guard jsonb;
alter table runs.run add request jsonb not null default '{}';

-- Row-level security holds for the owner, too.
alter table runs.quote no force row level security;
alter table runs.run no force row level security;
alter table runs.plan no force row level security;
update runs.quote q set request = p.request from runs.plan p where p.tenant_id = q.tenant_id and p.quote_id = q.id;
-- The limit of a guarded run is counted anew.
update runs.run set request = jsonb_build_object(
  'rollout', rollout, 'guard', case when mode = 'apply' then guard -> 'asked' end, 'labels', labels, 'priority', priority,
  'timeoutSeconds', case when guard is null then timeout_seconds end);
alter table runs.quote force row level security;
alter table runs.run force row level security;
alter table runs.plan force row level security;
alter table runs.plan drop column request;

-- An author may refuse, which withdraws; another member approves.
alter table runs.plan drop constraint plan_of_another,
  add constraint plan_of_another check (decided_by <> created_by or state = 'refused');
alter table scheduling.schedule drop constraint schedule_of_another,
  add constraint schedule_of_another check (decided_by <> created_by or approval = 'refused');
