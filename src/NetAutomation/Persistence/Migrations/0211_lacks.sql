-- What of a block's input each of its platforms cannot do. Versions that were published before say nothing of it.
alter table catalog.block_version add lacks jsonb not null default '[]';
