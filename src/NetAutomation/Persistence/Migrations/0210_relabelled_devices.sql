-- Devices that came, went or got other labels, and for which the windows that select by labels have not been looked at since. A device
-- stands here once for each change.
create table runs.relabelled_device (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  seq bigint generated always as identity,
  device_id uuid not null,
  primary key (tenant_id, seq)
);
create index on runs.relabelled_device (tenant_id, device_id);

-- What an earlier version has selected is looked at once more. The owner is held to the policies, too.
alter table inventory.device no force row level security;
alter table runs.maintenance_window no force row level security;
insert into runs.relabelled_device (tenant_id, device_id)
select tenant_id, id from inventory.device d
where exists (select from runs.maintenance_window w where w.tenant_id = d.tenant_id and w.selector is not null);
alter table inventory.device force row level security;
alter table runs.maintenance_window force row level security;
call web.tenant_table('runs.relabelled_device', 'select, insert, delete', 'select, insert');

-- Windows are looked at when a device changed or their intervals end, not every few seconds.
alter table runs.maintenance_window drop refreshed_at;
