namespace NetAutomation;

/// <summary>
/// What a member may do: a viewer reads, an operator runs what was bought, an admin also buys and manages money, members, keys,
/// credentials and connectors.
/// </summary>
public enum MemberRole
{
    Viewer,
    Operator,
    Admin,
}

/// <summary>Who calls, proven by the endpoint connection and the API key together.</summary>
/// <param name="Tenant">The customer.</param>
/// <param name="Key">The API key used; it scopes idempotency keys.</param>
/// <param name="MemberId">The person or system that the key belongs to.</param>
/// <param name="Member">Its name.</param>
/// <param name="Role">What it may do.</param>
/// <param name="EndpointId">The VPC endpoint the connection came through.</param>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record Caller(
    TenantId Tenant, ApiKeyId Key, MemberId MemberId, string Member, MemberRole Role, string EndpointId, bool Suspended);

/// <summary>What an operator's key may do; it has any of these.</summary>
public enum OperatorRole
{
    /// <summary>See everything that the operator API shows.</summary>
    Read,

    /// <summary>Change tenants, connections, policies and block versions.</summary>
    Act,

    /// <summary>Set prices, correct charges, and issue and void invoices.</summary>
    Money,
}

/// <summary>Who calls on the operator listener: a member of the provider's staff.</summary>
internal sealed record OperatorCaller(string Name, IReadOnlyCollection<OperatorRole> Roles)
{
    /// <summary>As decisions and audit logs name the caller.</summary>
    public string Principal => $"operator:{Name}";
}
