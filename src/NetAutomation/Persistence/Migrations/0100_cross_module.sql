-- Both roles use every schema. What they may do there is said with each table.
grant usage on schema web, onboarding, content, platforms, catalog, inventory, connectors, billing, purchasing, runs, scheduling
  to na_app, na_system;

-- Foreign keys to tables of modules that are made later. Always with the tenant, so no row can point across.
alter table billing.charge add foreign key (tenant_id, purchase_id)
  references purchasing.purchase (tenant_id, id) deferrable initially deferred;
alter table billing.reservation add foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred;
alter table billing.usage_event add foreign key (tenant_id, run_id) references runs.run (tenant_id, id);
alter table billing.receipt add foreign key (tenant_id, run_id, device_id) references runs.run_device (tenant_id, run_id, device_id);
