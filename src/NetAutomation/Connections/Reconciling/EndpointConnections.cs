using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Reconciling;

/// <summary>An endpoint connection as EC2 lists it.</summary>
internal sealed record Observed(
    string ServiceId, string EndpointId, string Owner, DateTimeOffset CreatedAt, string State, string? ConnectionId = null,
    string? Region = null)
{
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>Stores endpoint connections and bindings. Thousands change at once, so each statement takes all of them.</summary>
internal static class EndpointConnections
{
    /// <summary>
    /// EC2 is eventually consistent, so a connection is gone only when this many complete listings in a row lack it, over a while.
    /// </summary>
    public const int MissedUntilGone = 3;

    /// <summary>
    /// Stores new and changed connections. A connection that EC2 once showed as deleted never comes back, whatever a late answer shows.
    /// </summary>
    public static Task Store(SystemDb db, string service, IReadOnlyCollection<Observed> seen, CancellationToken cancel) => db.Execute(
        $"""
        with seen as (
          select * from jsonb_to_recordset({Rows(seen)}::jsonb) as s(
            id uuid, endpoint_id text, owner text, created timestamptz, state text, connection_id text, region text, tags jsonb)
        ), changed as (
          update onboarding.endpoint_connection c
          set state = s.state, connection_id = coalesce(s.connection_id, c.connection_id), region = coalesce(s.region, c.region),
              tags = s.tags, last_seen_at = now(), missed = 0, state_at = case when c.state = s.state then c.state_at else now() end,
              fault = case when c.state = s.state then c.fault end, attempts = case when c.state = s.state then c.attempts else 0 end,
              ask_at = case when c.state = s.state then c.ask_at end
          from seen s
          where c.service_id = {service} and c.endpoint_id = s.endpoint_id and c.owner = s.owner and c.endpoint_created_at = s.created
            and (c.state <> s.state or c.missed > 0 or c.tags <> s.tags or c.last_seen_at < now() - interval '1 minute')
            and not (lower(c.state) in ('deleting', 'deleted') and lower(s.state) not in ('deleting', 'deleted'))
        )
        insert into onboarding.endpoint_connection
          (id, service_id, endpoint_id, owner, endpoint_created_at, connection_id, region, state, tags)
        select s.id, {service}, s.endpoint_id, s.owner, s.created, s.connection_id, s.region, s.state, s.tags from seen s
        where not exists (
          select from onboarding.endpoint_connection c
          where c.service_id = {service} and c.endpoint_id = s.endpoint_id and c.owner = s.owner and c.endpoint_created_at = s.created)
        on conflict (service_id, endpoint_id, owner, endpoint_created_at) do nothing
        """,
        cancel);

    /// <summary>
    /// Counts a complete listing against the connections that it lacks; returns those for which it was the last one needed.
    /// </summary>
    /// <param name="unreadable">Endpoints that the listing has, though not in a form that can be stored.</param>
    public static async Task<Guid[]> Miss(
        SystemDb db, string service, IReadOnlyCollection<Observed> seen, IReadOnlyCollection<string> unreadable, TimeSpan goneAfter,
        CancellationToken cancel)
    {
        string[] others = [.. unreadable];
        var missing = await db.Query<Missing>(
            $"""
            select c.id, c.missed = {MissedUntilGone - 1} and c.missed_at <= now() - {goneAfter}::interval as gone
            from onboarding.endpoint_connection c
            where c.service_id = {service} and c.missed < {MissedUntilGone} and not (c.endpoint_id = any ({others}))
              and not exists (
                select from jsonb_to_recordset({Rows(seen)}::jsonb) as s(endpoint_id text, owner text, created timestamptz)
                where s.endpoint_id = c.endpoint_id and s.owner = c.owner and s.created = c.endpoint_created_at)
            """,
            cancel);
        Guid[] ids = [.. missing.Select(each => each.Id)];
        await db.Execute(
            $"""
            update onboarding.endpoint_connection
            set missed_at = case when missed > 0 then coalesce(missed_at, now()) else now() end,
                missed = least(missed + 1, {MissedUntilGone - 1})
            where id = any ({ids}) and missed < {MissedUntilGone} and (missed < {MissedUntilGone - 1} or missed_at is null)
            """,
            cancel);
        return [.. missing.Where(each => each.Gone == true).Select(each => each.Id)];
    }

    /// <summary>Marks the connections as gone, except those that were seen in the meantime.</summary>
    public static Task Lose(SystemDb db, Guid[] gone, CancellationToken cancel) => db.Execute(
        $"update onboarding.endpoint_connection set missed = {MissedUntilGone} where id = any ({gone}) and missed = {MissedUntilGone - 1}",
        cancel);

    /// <summary>Ends bindings whose connection is over or has another decision; returns how many.</summary>
    public static Task<int> EndBindings(SystemDb db, string service, CancellationToken cancel) => db.Execute(
        $"""
        with ending as (
          select b.tenant_id, b.id, case
            when lower(c.state) not in ('pendingacceptance', 'pending', 'available') then c.state
            when c.missed >= {MissedUntilGone} then 'gone'
            when c.missed > 0 and exists (
              select from onboarding.endpoint_connection n
              where n.service_id = c.service_id and n.endpoint_id = c.endpoint_id and n.missed = 0) then 'replaced'
            when d.verdict <> 'accept' then d.rule
            when d.bound_tenant <> b.tenant_id then 'moved' end as reason
          from onboarding.binding b join onboarding.endpoint_connection c on c.id = b.connection
          left join onboarding.acceptance_decision d on d.id = c.decision
          where b.ended_at is null and c.service_id = {service}
        )
        update onboarding.binding b set ended_at = now(), end_reason = e.reason
        from ending e where b.tenant_id = e.tenant_id and b.id = e.id and b.ended_at is null and e.reason is not null
        """,
        cancel);

    /// <summary>
    /// Binds every connection that is available and accepted, in the caller's transaction. An earlier binding of the same endpoint must
    /// have ended.
    /// </summary>
    public static async Task Bind(SystemDb db, string service, CancellationToken cancel)
    {
        var bound = await db.Query<Bound>(
            $"""
            insert into onboarding.binding (tenant_id, id, connection, endpoint_id)
            select t.tenant_id, gen_random_uuid(), c.id, c.endpoint_id
            from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
            join onboarding.tenant t on t.tenant_id = d.bound_tenant
            where c.service_id = {service} and c.missed = 0 and lower(c.state) = 'available' and d.verdict = 'accept'
              and (t.state in ('active', 'suspended') or t.reads_until > now())
              and not exists (select from onboarding.binding b where b.connection = c.id and b.ended_at is null)
            for share of c -- Waits for a decision that is being made, and reads the row again.
            on conflict (endpoint_id) where ended_at is null do nothing
            returning tenant_id, connection, endpoint_id
            """,
            cancel);
        await new AuditLog(db).Append(
            "service", "endpoint.bound",
            [.. bound.Select(each => (each.TenantId, each.EndpointId, $"{each.Connection}"))],
            cancel);
    }

    public static Task<int> Unbind(SystemDb db, EndpointConnectionId connection, string reason, CancellationToken cancel) => db.Execute(
        $"update onboarding.binding set ended_at = now(), end_reason = {reason} where connection = {connection.Value} and ended_at is null",
        cancel);

    private static string Rows(IReadOnlyCollection<Observed> seen) => JsonSerializer.Serialize(
        seen.Select(each => new
        {
            id = EndpointConnectionId.New().Value, endpoint_id = each.EndpointId, owner = each.Owner, created = each.CreatedAt.UtcDateTime,
            state = each.State, connection_id = each.ConnectionId, region = each.Region, tags = each.Tags,
        }),
        Json.Api);

    private sealed record Missing(Guid Id, bool? Gone);

    private sealed record Bound(TenantId TenantId, EndpointConnectionId Connection, string EndpointId);
}
