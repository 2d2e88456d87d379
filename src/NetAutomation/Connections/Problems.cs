using NetAutomation.Web;

namespace NetAutomation.Connections;

internal static class Problems
{
    public static readonly ProblemType ConnectionOver =
        new("endpoint_connection_over", 409, "The endpoint connection is over: only its owner can make a new one");
    public static readonly ProblemType ConnectionRejected =
        new("endpoint_connection_rejected", 409,
            "EC2 does not take this connection back: its owner deletes the endpoint and creates it anew");
    public static readonly ProblemType NoTenantForEndpoint =
        new("tenant_required", 422, "The endpoint's account does not name one tenant: name it");
}
