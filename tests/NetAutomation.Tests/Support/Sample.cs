namespace NetAutomation.Tests.Support;

/// <summary>
/// How many cases a property test with a new seed each time tries: a quarter, so that all tests together stay short.
/// <c>NETAUTOMATION_FULL=1</c> tries all.
/// </summary>
internal static class Sample
{
    private static readonly bool _full = Environment.GetEnvironmentVariable("NETAUTOMATION_FULL") == "1";

    /// <summary>The number of cases of this run, of <paramref name="all"/>.</summary>
    public static int Of(int all) => _full ? all : all / 4;
}
