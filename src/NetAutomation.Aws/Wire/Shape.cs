using System.Collections.Concurrent;
using System.Reflection;

namespace NetAutomation.Aws.Wire;

/// <summary>The members of a request, response or model type, as the query protocols name them.</summary>
internal static class Shape
{
    private static readonly ConcurrentDictionary<Type, Member[]> Known = new();

    /// <summary>The members a type declares itself; what it inherits from the SDK runtime is not on the wire.</summary>
    public static Member[] MembersOf(Type type) => Known.GetOrAdd(type, static t =>
        [.. t.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Select(p => new Member(p, p.GetCustomAttribute<WireNameAttribute>()?.Name))]);

    internal sealed record Member(PropertyInfo Property, string? WireName);
}
