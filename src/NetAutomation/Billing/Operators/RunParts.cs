namespace NetAutomation.Billing.Operators;

/// <summary>
/// The components of runs that a reversal is about, with what took each of them back. A run is found by the usage that its settlement
/// metered, which is there for every run with a device <c>ok</c> or <c>changed</c>, whatever it cost.
/// </summary>
internal static class RunParts
{
    /// <summary>
    /// A query. <c>open</c>: there is a charge or a free part, and nothing has taken it back. <c>covered</c>: it cost nothing.
    /// </summary>
    /// <param name="tenant">Only of this one.</param>
    /// <param name="after">Only of runs from this one on.</param>
    public static FormattableString Of(ReverseRunsRequest request, TenantId? tenant = null, Guid? after = null)
    {
        var only = tenant ?? request.TenantId;
        return
            $"""
            select s.tenant_id, s.reservation_id, s.run_id, s.component, s.price_version_id, s.free_quantity, s.charge_id,
              a.id as adjustment_id, coalesce(a.reversal_id, f.reversal_id) as reversal_id,
              s.charge_id is null and s.free_quantity = 0 as covered,
              case when s.charge_id is null then s.free_quantity > 0 and f.reservation_id is null else a.id is null end as open
            from billing.account b
              join billing.usage_event u on u.tenant_id = b.tenant_id
              join runs.run r on r.tenant_id = u.tenant_id and r.id = u.run_id
              join billing.settlement s on s.tenant_id = u.tenant_id and s.run_id = u.run_id
              left join billing.adjustment a on a.tenant_id = s.tenant_id and a.reverses = s.charge_id
              left join billing.free_return f on f.tenant_id = s.tenant_id and f.reservation_id = s.reservation_id
            where u.occurred_at >= {request.From} and u.occurred_at < {request.To} and u.block = {request.Block}
              and u.meter = 'run' and u.reverses is null and r.version = {request.Version}
              {When(only, $"and u.tenant_id = {only?.Value}")} {When(after, $"and u.run_id >= {after}")}
            """;
    }

    private static FormattableString When(object? asked, FormattableString condition) => asked is null ? $"" : condition;
}
