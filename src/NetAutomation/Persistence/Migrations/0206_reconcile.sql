-- Since when complete listings lack a connection, and since when it is in its state.
alter table onboarding.endpoint_connection
  add column missed_at timestamptz,
  add column state_at timestamptz not null default now();

-- Principals that EC2 refused are asked for ever more rarely, whole accounts too.
alter table onboarding.allowed_principal
  add column attempts int not null default 0,
  add column ask_at timestamptz;
