-- Takes n places of a limit, or refuses. Until the transaction ends, nobody else of the tenant takes one.
create or replace function web.take(p_tenant uuid, p_name text, p_n bigint) returns void language plpgsql as $$
declare u bigint;
begin
  insert into web.tenant_limit as l (tenant_id, name, used) values (p_tenant, p_name, p_n)
    on conflict (tenant_id, name) do update set used = l.used + p_n returning used into u;
  perform web.refuse_above(p_tenant, p_name, u - p_n, p_n);
end $$;
