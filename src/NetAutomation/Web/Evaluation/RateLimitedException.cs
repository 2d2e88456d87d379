namespace NetAutomation.Web.Evaluation;

/// <summary>The tenant of a request has no steps left for an evaluation; it may ask again a little later.</summary>
internal sealed class RateLimitedException(Problem refusal) : Exception(refusal.Detail)
{
    public Problem Refusal => refusal;
}
