using System.Collections.Concurrent;
using System.Reflection;

namespace NetAutomation.Aws.Wire;

/// <summary>The members of a request, response or model type; they have the same names on the wire.</summary>
internal static class Shape
{
    private static readonly ConcurrentDictionary<Type, PropertyInfo[]> _known = new();

    /// <summary>The members a type declares itself; what it inherits from the SDK runtime is not on the wire.</summary>
    public static PropertyInfo[] MembersOf(Type type) =>
        _known.GetOrAdd(type, static t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly));
}
