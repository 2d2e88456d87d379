-- What a platform's command line takes for itself in a customer's text: patterns by the format of the input.
alter table platforms.platform_version add reserved jsonb not null default '{}' check (jsonb_typeof(reserved) = 'object');

-- A secret is no login: a block puts it on devices.
alter table inventory.credential drop constraint credential_kind_check,
  add constraint credential_kind_check check (kind in ('password', 'ssh_key', 'enable', 'secret'));

-- The versions of the secrets in the input, pinned by the text form of their credentials' ids.
alter table runs.quote add secrets jsonb not null default '{}' check (jsonb_typeof(secrets) = 'object');
