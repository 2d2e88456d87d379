using System.Text.RegularExpressions;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Rules;

/// <summary>Label syntax of Kubernetes (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels).</summary>
internal static partial class Labels
{
    private const int Most = 64;

    // Of all keys and values: selectors read the labels of every device.
    private const int Longest = 4096;

    public static bool IsKey(string key) =>
        key.Split('/') switch
        {
            [var name] => Name().IsMatch(name),
            [var prefix, var name] => prefix.Length <= 253 && Subdomain().IsMatch(prefix) && Name().IsMatch(name),
            _ => false,
        };

    public static bool Same(Dictionary<string, string> one, Dictionary<string, string> other) =>
        one.Count == other.Count && one.All(label => other.TryGetValue(label.Key, out var value) && value == label.Value);

    public static bool IsValue(string value) => value.Length == 0 || Name().IsMatch(value);

    public static IEnumerable<ProblemError> Faults(Dictionary<string, string> labels, string at)
    {
        if (labels.Count > Most)
        {
            yield return new ProblemError(at, "max_items", $"At most {Most} labels.");
        }

        if (labels.Sum(label => label.Key.Length + (label.Value?.Length ?? 0)) > Longest)
        {
            yield return new ProblemError(at, "too_large", $"All labels together have at most {Longest} characters.");
        }

        foreach (var (key, value) in labels)
        {
            var pointer = $"{at}/{JsonPointer.Escape(key)}";
            if (!IsKey(key))
            {
                yield return new ProblemError(
                    pointer, "label_key", "A key is an optional DNS prefix and /, then 1 to 63 letters, digits, -, _ and dots.");
            }

            if (value is null || !IsValue(value))
            {
                yield return new ProblemError(pointer, "label_value", "A value is empty, or 1 to 63 letters, digits, -, _ and dots.");
            }
        }
    }

    [GeneratedRegex(
        @"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Name();

    [GeneratedRegex(
        @"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Subdomain();
}
