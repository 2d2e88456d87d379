-- What of a block's input each of its platforms cannot do. Versions that were published before say nothing of it.
alter table catalog.block_version add lacks jsonb not null default '[]';
drop trigger frozen on catalog.block_version;
create trigger frozen before update on catalog.block_version for each row execute function web.frozen(
  'slug', 'version', 'major', 'minor', 'patch', 'digest', 'title', 'summary', 'effect', 'platforms', 'lacks', 'artifacts', 'input_schema',
  'result', 'readme', 'published_at');

-- A deprecated version runs where it is named, and wherever no other one is left.
alter table catalog.block_version drop constraint block_version_state_check,
  add constraint block_version_state_check check (state in ('published', 'deprecated', 'withdrawn'));
