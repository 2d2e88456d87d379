-- Tenants with ready runs in the order of a hash of their ids, from p_from on and around to it again.
create or replace function runs.ready_tenants(p_from int, p_count int) returns setof uuid language plpgsql stable as $$
declare lot int; id uuid; n int := 0; last boolean := false;
begin
  select uuid_hash(q.tenant_id), q.tenant_id into lot, id from runs.queue q where q.ready and uuid_hash(q.tenant_id) >= p_from
    order by uuid_hash(q.tenant_id), q.tenant_id limit 1;
  loop
    if id is null then
      exit when last;
      last := true;
      select uuid_hash(q.tenant_id), q.tenant_id into lot, id from runs.queue q where q.ready
        order by uuid_hash(q.tenant_id), q.tenant_id limit 1;
      exit when id is null;
    end if;
    exit when last and lot >= p_from;
    exit when n >= p_count;
    n := n + 1;
    return next id;
    select uuid_hash(q.tenant_id), q.tenant_id into lot, id from runs.queue q
      where q.ready and (uuid_hash(q.tenant_id), q.tenant_id) > (lot, id)
      order by uuid_hash(q.tenant_id), q.tenant_id limit 1;
  end loop;
end $$;
