-- Passwords of one device alone: one that took the place of its credential's, and one that a run may have given it, which no login has
-- proven yet.
create table inventory.device_password (
  tenant_id uuid not null,
  device_id uuid not null,
  pending boolean not null,
  id uuid not null,
  ct bytea not null,
  nonce bytea not null check (length(nonce) = 12),
  wrapped_dek bytea not null,
  tenant_key_version int not null,
  alg text not null check (alg = 'A256GCM'),
  since timestamptz not null default now(),
  primary key (tenant_id, device_id, pending),
  foreign key (tenant_id, device_id) references inventory.device on delete cascade,
  foreign key (tenant_id, tenant_key_version) references inventory.tenant_key
);
call web.tenant_table(
  'inventory.device_password', 'select, insert, update, delete', 'select, delete, update (ct, nonce, wrapped_dek)');

-- What a device shows of them.
alter table inventory.device add password_rotated_at timestamptz, add password_pending_since timestamptz;
