using NetAutomation.Access;
using NetAutomation.Connections;

namespace NetAutomation.Tenants;

/// <summary>What this process keeps for a moment of who may call.</summary>
internal sealed class TenantDirectory(BindingDirectory bindings, KeyDirectory keys)
{
    /// <summary>Forgets the kept answers about a tenant's keys and about endpoints' bindings, after this process changed it.</summary>
    public void Forget(TenantId tenant)
    {
        bindings.Forget();
        keys.Forget(tenant);
    }
}
