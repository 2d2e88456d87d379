using NetAutomation.Web;

namespace NetAutomation.Access;

internal static class Problems
{
    public static readonly ProblemType LastAdminKey =
        new("last_admin_key", 409, "This is the tenant's last lasting key of an active admin: issue another one first");
    public static readonly ProblemType LastAdmin =
        new("last_admin", 409, "Nobody else could manage members and keys: another active admin with a lasting key is needed first");
    public static readonly ProblemType MemberNameTaken = new("member_name_taken", 409, "Another member has this name");
    public static readonly ProblemType MemberInUse =
        new("member_in_use", 409, "The member has or had keys, so records may name it: disable it instead");
}
