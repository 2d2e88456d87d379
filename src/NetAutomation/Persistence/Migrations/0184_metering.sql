-- Hours are sealed by the job that reports them: the one that sealed at the fifth minute has no class any more.
delete from quartz.qrtz_triggers where trigger_name = 'seal-hours';
delete from quartz.qrtz_job_details where job_class_name like 'NetAutomation.Billing.Metering.SealHours,%';

-- The oldest hour that waits, over all payers.
create index on billing.metering_backlog (occurred_hour);

-- What was stored and waits for its agreement.
create index on onboarding.marketplace_event (received_at) where applied_at is null;
