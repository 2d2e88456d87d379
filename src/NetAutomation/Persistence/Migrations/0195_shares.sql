-- A run that may keep its worker for long: the last free place of a worker is not for it, see runs.claim.
alter table runs.queue add column long boolean not null default false;
create index queue_short on runs.queue (tenant_id, priority desc, created_at, run_id) where ready and not long;
-- A run that waits because the month's output is used up waits for 'output'.
alter table runs.queue drop constraint queue_waits_for_check;
alter table runs.queue add constraint queue_waits_for_check
  check (waits_for in ('connector', 'device', 'window', 'expiry', 'output'));
-- It has one more argument now, which may be left out.
drop function if exists runs.claim(text, interval, uuid[]);
