using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections;

/// <summary>What an endpoint is bound to. An endpoint bound anew has another binding.</summary>
internal sealed record EndpointBinding(Guid Id, TenantId Tenant);

/// <summary>
/// Which tenant an endpoint is bound to now. The database is asked; answers are kept for less than a second, so a binding that ends is
/// refused within one.
/// </summary>
internal sealed class BindingDirectory(IServiceScopeFactory scopes, ReconcileSignal signal, TimeProvider time)
{
    private readonly Recent<EndpointBinding?> _endpoints = new(time, TimeSpan.FromMilliseconds(900));

    /// <summary>Null where the endpoint is bound to no tenant that may call.</summary>
    public ValueTask<EndpointBinding?> ByEndpoint(string endpointId, CancellationToken cancel) => _endpoints.Get(endpointId, async () =>
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<Found>(
            $"""
            select b.id, t.tenant_id from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.endpoint_id = {endpointId} and b.ended_at is null and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            CancellationToken.None);
        if (rows is [var row])
        {
            return new EndpointBinding(row.Id, new TenantId(row.TenantId));
        }

        // A reconcile may have missed it.
        signal.Unbound(endpointId);
        return null;
    }, cancel);

    /// <summary>Which of these endpoints are bound to a tenant that may call, by which binding. Never an answer of before.</summary>
    public async Task<Dictionary<string, Guid>> Alive(string[] endpoints, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<Bound>(
            $"""
            select b.endpoint_id, b.id from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.endpoint_id = any ({endpoints}) and b.ended_at is null and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            cancel);
        return rows.ToDictionary(row => row.EndpointId, row => row.Id, StringComparer.Ordinal);
    }

    /// <summary>Forgets every answer, after a change made by this process.</summary>
    public void Forget() => _endpoints.Clear();

    private sealed record Found(Guid Id, Guid TenantId);

    private sealed record Bound(string EndpointId, Guid Id);
}
