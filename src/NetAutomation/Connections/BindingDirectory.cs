using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections;

/// <summary>The binding of an endpoint to a tenant. An endpoint that is bound again has another binding.</summary>
internal sealed record EndpointBinding(Guid Id, TenantId Tenant);

/// <summary>
/// Finds the tenant to which an endpoint is bound now. It keeps an answer of the database for less than a second, so every process refuses
/// an endpoint within a second after its binding ends.
/// </summary>
internal sealed class BindingDirectory(IServiceScopeFactory scopes, ReconcileSignal signal, TimeProvider clock)
{
    private readonly Recent<EndpointBinding?> _endpoints = new(clock, TimeSpan.FromMilliseconds(900));

    /// <summary>Null where the endpoint is bound to no tenant that may call.</summary>
    public ValueTask<EndpointBinding?> ByEndpoint(string endpointId, CancellationToken cancel) => _endpoints.Get(endpointId, async () =>
    {
        await using var scope = scopes.CreateAsyncScope();
        var binding = await scope.ServiceProvider.GetRequiredService<SystemDb>().Scalar<EndpointBinding>(
            $"""
            select b.id, t.tenant_id as tenant from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.endpoint_id = {endpointId} and b.ended_at is null and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            CancellationToken.None);
        if (binding is null)
        {
            // The last round may have missed the connection.
            signal.Unbound(endpointId);
        }

        return binding;
    }, cancel);

    /// <summary>Those of these endpoints that are bound to a tenant that may call, with their bindings. Always asks the database.</summary>
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

    /// <summary>Forgets every kept answer, after this process changed something.</summary>
    public void Forget() => _endpoints.Clear();

    private sealed record Bound(string EndpointId, Guid Id);
}
