using NetAutomation.Platform;

namespace NetAutomation.Onboarding;

internal static class Problems
{
    public static readonly ProblemType LastAdminKey = new("last_admin_key", 409, "This is the tenant's last admin key: issue another one first");
    public static readonly ProblemType NoTenantForEndpoint = new("tenant_required", 422, "The endpoint's account does not name one tenant: name it");
}
