-- Rows after a position, of transactions that all older ones have ended with. Each half of the union reads its own index.
create or replace function web.feed_after(p_tenant uuid, p_xid xid8, p_kind int, p_key uuid, p_seq int, p_take int)
returns table (xid xid8, kind int, key uuid, seq int, at timestamptz, type text, subject text, member text, data jsonb)
language sql stable as $$
  (select a.xid, 0, a.id, 0, a.at, a.action, a.subject, a.member, a.data
   from web.audit_event a
   where a.tenant_id = p_tenant and a.xid < pg_snapshot_xmin(pg_current_snapshot())
     and (a.xid, a.id) > (p_xid, case p_kind when 0 then p_key else 'ffffffff-ffff-ffff-ffff-ffffffffffff' end)
   order by a.xid, a.id limit p_take)
  union all
  (select t.xid, 1, t.run_id, t.seq, t.at, 'run.' || t.to_state, null, null, jsonb_build_object('from', t.from_state, 'reason', t.reason)
   from runs.run_transition t
   where t.tenant_id = p_tenant and t.xid < pg_snapshot_xmin(pg_current_snapshot())
     and (t.xid, t.run_id, t.seq) > (
       p_xid, case p_kind when 0 then '00000000-0000-0000-0000-000000000000' else p_key end, case p_kind when 0 then 0 else p_seq end)
   order by t.xid, t.run_id, t.seq limit p_take)
  order by 1, 2, 3, 4 limit p_take
$$;
