using System.Collections.Concurrent;
using System.Reflection;
using Amazon.Runtime;

namespace NetAutomation.Aws.Wire;

/// <summary>Turns wire text into a <see cref="ConstantClass"/>; the SDK's look-up ignores case and keeps unknown values.</summary>
internal static class Constant
{
    private static readonly ConcurrentDictionary<Type, MethodInfo> _findValue = new();

    public static ConstantClass Of(Type type, string value) =>
        (ConstantClass)_findValue.GetOrAdd(type, static t => t.GetMethod("FindValue", [typeof(string)])!).Invoke(null, [value])!;
}
