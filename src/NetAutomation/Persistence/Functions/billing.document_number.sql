create or replace function billing.document_number(prefix text, at timestamptz, seq int) returns text language sql immutable as $$
  select prefix || '-' || extract(year from at at time zone 'UTC')::int::text || '-' || lpad(seq::text, greatest(6, length(seq::text)), '0')
$$;
