-- How long a statement, and a wait for a lock, may take. The owner's migrations, and a statement that says so itself, take longer. Of
-- na_app, Persistence/StatementLimit.cs knows the same number.
alter role na_app set statement_timeout = '20s';
alter role na_app set lock_timeout = '10s';
alter role na_system set statement_timeout = '5min';
alter role na_system set lock_timeout = '30s';

-- The local time at which a COUNT of the rule ends; null without COUNT, and where the rule must be counted at each use.
alter table scheduling.schedule add last timestamp;
alter table runs.maintenance_window add last timestamp;

-- When the intervals of a window are written again. Now: those that touch become one, and of a dense window fewer are kept.
alter table runs.maintenance_window add extend_at timestamptz not null default '-infinity';
