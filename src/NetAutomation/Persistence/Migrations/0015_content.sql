-- Content that is published as folders, blocks and platforms alike: the files, named by the digest over all of them.
create schema content;
grant usage on schema content to na_app, na_system;

create table content.file (
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  path text not null check (path !~ '(^/|(^|/)\.\.?(/|$)|//|\\)'),
  content bytea not null,
  primary key (digest, path)
);
grant select on content.file to na_app;
grant select, insert on content.file to na_system;
call web.append_only('content.file');
