-- Half to even, as the lines of an invoice are rounded.
create or replace function billing.to_cents(micros numeric) returns bigint language sql immutable as $$
  select (case when abs(micros) % 10000 = 5000 then 2 * round(micros / 20000) else round(micros / 10000) end * 10000)::bigint
$$;
