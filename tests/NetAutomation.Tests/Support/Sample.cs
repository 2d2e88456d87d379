using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Xunit.v3;

namespace NetAutomation.Tests.Support;

/// <summary>
/// What one run tries of what would make all tests too long, drawn anew for each run. <c>NETAUTOMATION_FULL=1</c> tries all.
/// </summary>
internal static class Sample
{
    public static readonly bool Full = Environment.GetEnvironmentVariable("NETAUTOMATION_FULL") == "1";

    /// <summary>Draws the tests of this run; <c>NETAUTOMATION_SAMPLE</c> repeats it.</summary>
    public static readonly string Seed = Environment.GetEnvironmentVariable("NETAUTOMATION_SAMPLE") is { Length: > 0 } given
        ? given : $"{Random.Shared.Next()}";

    /// <summary>The number of cases that a property test tries, of <paramref name="all"/>: a quarter.</summary>
    public static int Of(int all) => Full ? all : all / 4;
}

/// <summary>
/// Of the tests of this class a run tries one of so many, or, where a second class tries the same ones in another way, each in one of the
/// two.
/// </summary>
/// <param name="of">One of how many.</param>
/// <param name="share">Which; a class that shares its tests with another has another share.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class SampledAttribute(int of, int share = 0) : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        var name = test.TestDisplayName[test.TestDisplayName.IndexOf($".{methodUnderTest.Name}", StringComparison.Ordinal)..];
        var drawn = SHA256.HashData(Encoding.UTF8.GetBytes($"{Sample.Seed}{name}"))[0] % of == share;
        Assert.SkipUnless(
            Sample.Full || drawn, $"not drawn (NETAUTOMATION_SAMPLE={Sample.Seed}); NETAUTOMATION_FULL=1 tries all");
    }
}
