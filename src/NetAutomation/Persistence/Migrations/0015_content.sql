-- The files of published folders, blocks and platforms alike, named by the digest over all files of the folder.
create schema content;

create table content.file (
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  path text not null check (path !~ '(^/|(^|/)\.\.?(/|$)|//|\\)'),
  content bytea not null,
  primary key (digest, path)
);
grant select on content.file to na_app;
grant select, insert on content.file to na_system;
call web.append_only('content.file');
