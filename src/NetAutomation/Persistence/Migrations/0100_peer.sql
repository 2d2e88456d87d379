-- Where the other processes of the service reach the one that holds a session; null where it takes no calls of them.
alter table connectors.connector_session add column replica_url text check (length(replica_url) <= 200);
create index on connectors.connector_session (tenant_id, seen_at);
