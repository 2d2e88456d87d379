using System.Xml.Linq;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Sts;

/// <summary>AWS STS Query operations (API version 2011-06-15): who holds the key that signed.</summary>
internal static class IdentityOperations
{
    public static XElement GetCallerIdentity(QueryForm form) =>
        new("result",
            new XElement("Arn", form.Caller.Principal),
            new XElement("UserId", UserId(form.Caller)),
            new XElement("Account", form.Caller.Account));

    // Ids of roles start with AROA and carry the session's name, those of users with AIDA; the root's is the account.
    private static string UserId(AccountOptions caller)
    {
        var path = caller.Principal.Split(':', 6)[^1].Split('/');
        var unique = caller.AccessKey.Length > 4 ? caller.AccessKey[4..] : caller.AccessKey;
        return path[0] switch
        {
            "root" => caller.Account,
            "assumed-role" => $"AROA{unique}:{path[^1]}",
            _ => "AIDA" + unique,
        };
    }
}
