-- How a device is logged in to where it differs from its platform: what the API calls connectionOptions.
alter table inventory.device
  add connection_options jsonb not null default '{}' check (jsonb_typeof(connection_options) = 'object');

-- The privilege level that a credential of the kind enable asks for; the highest where it is absent.
alter table inventory.credential add enable_level int check (enable_level between 1 and 15);
