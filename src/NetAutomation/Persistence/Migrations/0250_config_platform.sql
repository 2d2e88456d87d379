-- What the device was when a text was read: a text means something on that platform alone.
alter table history.config no force row level security;
alter table history.device no force row level security;
alter table runs.run_device no force row level security;
alter table history.config add platform text;
-- The device's, in the run that read it; where that is not known, the one that it had last.
update history.config c set platform = coalesce(
  (select r.platform from runs.run_device r where r.tenant_id = c.tenant_id and r.run_id = c.run_id and r.device_id = c.device_id),
  (select d.platforms[cardinality(d.platforms)] from history.device d where d.tenant_id = c.tenant_id and d.device_id = c.device_id));
alter table history.config alter platform set not null;
alter table history.config force row level security;
alter table history.device force row level security;
alter table runs.run_device force row level security;
