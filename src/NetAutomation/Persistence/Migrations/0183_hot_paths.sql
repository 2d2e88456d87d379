-- What launches and pages of usage look for, and a rental's day of the month.
create index run_open_of_tenant on runs.run (tenant_id) where not terminal;
create index usage_event_page on billing.usage_event (tenant_id, run_id, event_id);

-- A rental from the 31st ends on the 28th of February and on the 31st of March: terms are counted from here. Null: from its start.
alter table purchasing.entitlement add anchor_at timestamptz;
