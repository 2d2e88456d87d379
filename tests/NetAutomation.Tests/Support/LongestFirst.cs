using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(NetAutomation.Tests.Support.LongestFirst))]

namespace NetAutomation.Tests.Support;

/// <summary>
/// Starts the collections that take minutes, since their tests run one after the other, before all others: at the end of a run nothing
/// would run beside them. Otherwise their place follows from a hash of the assembly's path.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] _long = ["fleet", "Money at length"];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderByDescending(each => Array.IndexOf(_long, each.TestCollectionDisplayName) >= 0)];
}
