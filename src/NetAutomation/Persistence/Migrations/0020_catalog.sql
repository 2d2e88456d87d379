-- Blocks. They belong to the provider, so every tenant reads these tables and none writes them.
create schema catalog;

create table catalog.block (
  slug text primary key check (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
  id uuid not null unique
);
grant select on catalog.block to na_app;
grant select, insert on catalog.block to na_system;
call web.append_only('catalog.block');

create table catalog.block_version (
  slug text not null references catalog.block,
  version text not null check (version = concat_ws('.', major, minor, patch)),
  major int not null check (major >= 0),
  minor int not null check (minor >= 0),
  patch int not null check (patch >= 0),
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  title text not null,
  summary text not null,
  effect text not null check (effect in ('read', 'idempotent', 'transactional', 'unsafe')),
  platforms text[] not null check (cardinality(platforms) > 0),
  artifacts text[] not null,
  input_schema jsonb not null,
  -- Schema of its result for a device, and how to show the result; null where the block declares none.
  result jsonb,
  readme text not null,
  state text not null check (state in ('published', 'withdrawn')),
  published_at timestamptz not null default now(),
  primary key (slug, version)
);
create index on catalog.block_version (slug, major desc, minor desc, patch desc);
grant select on catalog.block_version to na_app;
grant select, insert, update (state) on catalog.block_version to na_system;
create trigger frozen before update on catalog.block_version for each row execute function web.frozen(
  'slug', 'version', 'major', 'minor', 'patch', 'digest', 'title', 'summary', 'effect', 'platforms', 'artifacts', 'input_schema', 'result',
  'readme', 'published_at');
create trigger kept before delete on catalog.block_version for each row execute function web.refuse_change();
create trigger kept_truncate before truncate on catalog.block_version for each statement execute function web.refuse_change();
