using NetAutomation.Web;

namespace NetAutomation.Tenants;

internal static class Problems
{
    public static readonly ProblemType AccountKnown = new("account_known", 409, "The AWS account is proven already");
    public static readonly ProblemType NoChallenge = new(
        "no_challenge", 409,
        "There is no challenge for the AWS account, or it has expired: claim the account again; "
        + "one that was tried too often has to expire first");
    public static readonly ProblemType BadProof = new("bad_proof", 422, "This does not prove the AWS account");
    public static readonly ProblemType StsUnavailable = new("sts_unavailable", 503, "AWS STS does not answer now: try again");
    public static readonly ProblemType SecondOperatorNeeded = new(
        "second_operator_needed", 409, "Another operator has to approve this first");
    public static readonly ProblemType LastAccount = new("last_account", 409, "This is the tenant's last AWS account");
}
