-- Whether a login may land in a shell in which the platform's own is a program (connectionOptions.shell).
alter table platforms.platform_version add shell boolean not null default false;
