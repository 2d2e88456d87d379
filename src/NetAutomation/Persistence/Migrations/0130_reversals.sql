-- What was charged for runs of a wrong block version, taken back as a whole. Each charge is taken back by an adjustment, whose keys hold
-- that it is taken back once; this row says which of them belong together and why.
create table billing.reversal (
  id uuid primary key,
  block text not null,
  version text not null,
  -- When the runs were settled.
  settled tstzrange not null check (not isempty(settled)),
  -- The tenant, or all zeroes for everyone.
  scope uuid not null default '00000000-0000-0000-0000-000000000000',
  reason text not null check (length(reason) between 1 and 500),
  approved_by text not null check (length(approved_by) > 0),
  created_at timestamptz not null default now(),
  -- Null while there may be more to take back.
  finished_at timestamptz,
  -- The same request again goes on with what is left.
  unique (block, version, settled, scope, reason),
  foreign key (block, version) references catalog.block_version (slug, version)
);
grant select, insert, update (finished_at) on billing.reversal to na_system;

alter table billing.adjustment add reversal_id uuid references billing.reversal (id), add check (reversal_id is null or kind = 'reversal');
create index on billing.adjustment (reversal_id, tenant_id) where reversal_id is not null;

-- The free part that a settlement used is free again, once; its trigger writes the allowance.
create table billing.free_return (
  tenant_id uuid not null,
  reservation_id uuid not null,
  reversal_id uuid references billing.reversal (id),
  returned_at timestamptz not null default now(),
  primary key (tenant_id, reservation_id),
  foreign key (tenant_id, reservation_id) references billing.settlement (tenant_id, reservation_id)
);
call web.tenant_table('billing.free_return', '', 'select, insert', append_only => true);
grant update on billing.free_allowance to na_system;
