using System.Globalization;
using System.Net;
using System.Text;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>Parameters of the AWS Query protocol: flat keys such as <c>Filter.1.Value.2</c>.</summary>
internal sealed class QueryForm(AwsCall call)
{
    private readonly Dictionary<string, string> _values =
        (call.Http.Method == "GET" ? call.Http.QueryString.Value?.TrimStart('?') ?? "" : Encoding.UTF8.GetString(call.Body))
        .Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2))
        .DistinctBy(pair => pair[0], StringComparer.Ordinal)
        .ToDictionary(
            pair => WebUtility.UrlDecode(pair[0]), pair => pair.Length == 2 ? WebUtility.UrlDecode(pair[1]) : "", StringComparer.Ordinal);

    public AccountOptions Caller => call.Key;

    public string Account => call.Account;

    /// <summary>The Region whose endpoint was called, as the signature names it.</summary>
    public string Region => call.Region;

    public string? this[string name] => _values.GetValueOrDefault(name);

    public string Required(string name) =>
        this[name] is { Length: > 0 } value
            ? value : throw new AwsException("MissingParameter", $"The request must contain the parameter {name}");

    public bool Flag(string name) => string.Equals(this[name], "true", StringComparison.OrdinalIgnoreCase);

    public int? Number(string name) =>
        this[name] is not { } text ? null :
        int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number :
        throw new AwsException("InvalidParameterValue", $"Value ({text}) for parameter {name} is invalid.");

    /// <summary>Values of <c>prefix.1</c>, <c>prefix.2</c>, …</summary>
    public List<string> List(string prefix) => [.. Indexes(prefix).Select(i => this[$"{prefix}.{i}"]).OfType<string>()];

    /// <summary>Indexes n for which any <c>prefix.n</c> or <c>prefix.n.…</c> was sent, ascending.</summary>
    public IEnumerable<int> Indexes(string prefix) => _values.Keys
        .Where(key => key.StartsWith(prefix + ".", StringComparison.Ordinal))
        .Select(
            key => int.TryParse(key[(prefix.Length + 1)..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var n)
                ? n : 0)
        .Where(n => n > 0).Distinct().Order();
}
