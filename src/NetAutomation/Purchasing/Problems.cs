using NetAutomation.Web;

namespace NetAutomation.Purchasing;

internal static class Problems
{
    public static readonly ProblemType NoEntitlement = new("no_entitlement", 402, "The block is not bought, or the right has ended");
    public static readonly ProblemType AlreadyEntitled = new("already_entitled", 409, "The tenant already holds this right");
    public static readonly ProblemType NotOffered = new("not_offered", 422, "The block is not offered this way");
}
