namespace NetAutomation.Web;

/// <summary>Why something that another member has made is refused.</summary>
/// <param name="Reason">1 to 500 characters.</param>
public sealed record RefuseRequest(string Reason)
{
    /// <summary>What is wrong with the reason itself; null where nothing is.</summary>
    internal Problem? Unfit() => ShownText.Refusal(ShownText.TextFaults(Reason, "/reason"));
}
