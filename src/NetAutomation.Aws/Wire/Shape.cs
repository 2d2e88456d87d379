using System.Collections.Concurrent;
using System.Reflection;

namespace NetAutomation.Aws.Wire;

/// <summary>The members of a request, response or model type; they have the same names on the wire.</summary>
internal static class Shape
{
    private static readonly ConcurrentDictionary<Type, PropertyInfo[]> _members = new();

    /// <summary>The members that the type itself declares; those inherited from the SDK runtime are not on the wire.</summary>
    public static PropertyInfo[] MembersOf(Type type) =>
        _members.GetOrAdd(type, static t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly));
}
