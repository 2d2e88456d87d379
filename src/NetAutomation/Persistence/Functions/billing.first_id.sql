-- The smallest UUIDv7 of this time. Ids are time-ordered, so what is recent is one range of each primary key.
create or replace function billing.first_id(at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
