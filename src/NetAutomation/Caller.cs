namespace NetAutomation;

/// <summary>What a key may do: a viewer reads, an operator runs and buys, an admin also manages keys, credentials and connectors.</summary>
public enum MemberRole
{
    Viewer,
    Operator,
    Admin,
}

/// <summary>Who calls, proven by the endpoint connection and the API key together.</summary>
/// <param name="Tenant">The customer.</param>
/// <param name="Key">The API key used; it scopes idempotency keys.</param>
/// <param name="Member">The person or system the key was issued to.</param>
/// <param name="Role">What the key may do.</param>
/// <param name="EndpointId">The VPC endpoint the connection came through.</param>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record Caller(TenantId Tenant, ApiKeyId Key, string Member, MemberRole Role, string EndpointId, bool Suspended);

/// <summary>Who calls on the operator listener: a member of the provider's staff.</summary>
internal sealed record OperatorCaller(string Name)
{
    /// <summary>As decisions and audit logs name the caller.</summary>
    public string Principal => $"operator:{Name}";
}
