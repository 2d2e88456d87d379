-- Refuses n more where that is above the limit. LimitReached reads the message. None more is never refused: an operator may have lowered
-- the limit below what there is.
create or replace function web.refuse_above(p_tenant uuid, p_name text, p_used bigint, p_n bigint) returns void
language plpgsql stable as $$
declare m bigint;
begin
  select coalesce((select l.max from web.tenant_limit l where l.tenant_id = p_tenant and l.name = p_name), d.max) into m
    from web.limit_default d where d.name = p_name;
  if p_n > 0 and p_used + p_n > m then
    raise exception using errcode = 'LM001', message = json_build_object('limit', p_name, 'max', m, 'used', p_used)::text;
  end if;
end $$;
