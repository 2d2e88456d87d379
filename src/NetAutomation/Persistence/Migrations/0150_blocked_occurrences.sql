-- Beside why an occurrence was blocked: when its run may start, or for one that started none the next occurrence.
alter table scheduling.occurrence add column eligible_at timestamptz;
