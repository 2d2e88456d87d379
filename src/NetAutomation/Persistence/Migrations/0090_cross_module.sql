-- Foreign keys between modules whose tables are made in either order. Always with the tenant, so no row can point across.
alter table connectors.connector add foreign key (tenant_id, site_id) references inventory.site (tenant_id, id);
alter table billing.account add foreign key (tenant_id) references onboarding.tenant (tenant_id);
alter table billing.reservation add foreign key (tenant_id) references billing.account (tenant_id);
