using System.ComponentModel;
using NetAutomation.Web.Http;

namespace NetAutomation.Web;

/// <summary>How long an answer may wait for what it is to tell. A HEAD request waits for nothing.</summary>
public sealed record WaitQuery(
    HttpContext Http, [property: Description("Seconds to wait until there is news, up to 60.")] int Wait = 0)
{
    private const int Longest = 60;

    /// <summary>The time to wait, or the refusal of it.</summary>
    internal Outcome<TimeSpan> Read() => Wait is < 0 or > Longest
        ? Problems.Refused.At("/wait", "out_of_range", $"The wait is 0 to {Longest} seconds.")
        : HeadRequests.Is(Http) ? TimeSpan.Zero : TimeSpan.FromSeconds(Wait);
}
