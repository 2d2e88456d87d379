using System.Globalization;
using System.Text.Json;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Schema;

/// <summary>
/// Keywords of ours for checks between members, for which JSON Schema has conditions only, or no words. docs/blocks.md explains each.
/// </summary>
internal static class Relations
{
    /// <summary>Of a list: no two of its objects have the same values of these members.</summary>
    public const string UniqueBy = "uniqueBy";

    /// <summary>Of an object: at least one of these members is there.</summary>
    public const string RequiredAny = "requiredAny";

    /// <summary>Of an object: these members are there, unless the input's own <c>state</c> is <c>absent</c>.</summary>
    public const string RequiredUnlessAbsent = "requiredUnlessAbsent";

    /// <summary>Of an object: the addresses and prefixes in these members are all IPv4 or all IPv6.</summary>
    public const string SameFamily = "sameFamily";

    /// <summary>Of an object: this member stands beside a next hop that is link-local.</summary>
    public const string LinkLocalNeeds = "linkLocalNeeds";

    /// <summary>Of an object: a prefix, and members with lengths of prefixes in it, none shorter than the one before.</summary>
    public const string PrefixLengths = "prefixLengths";

    /// <summary>Of the input itself: a user of the device and the secret that becomes its password. It checks nothing.</summary>
    public const string Login = "login";

    private static readonly Dictionary<string, Func<Place, string[], JsonElement, IEnumerable<ProblemError>>> _checks =
        new(StringComparer.Ordinal)
        {
            [UniqueBy] = (list, members, _) => Repeated(list, members),
            [RequiredAny] = (place, members, _) => Array.Exists(members, name => place.Member(name) is not null)
                ? [] : [Missing(place, members[0], $"One of {string.Join(" and ", members)} is needed.")],
            [RequiredUnlessAbsent] = (place, members, input) => IsAbsent(input)
                ? [] : members.Where(name => place.Member(name) is null).Select(name => Missing(place, name, "The member is missing.")),
            [SameFamily] = (place, members, _) => Mixed(place, members),
            [LinkLocalNeeds] = (place, members, _) =>
                NextHop(place) is { } hop && Formats.IsLinkLocal(hop) && place.Member(members[0]) is null
                ? [Missing(place, members[0], $"{hop} is link-local, so {members[0]} is needed beside it.")] : [],
            [PrefixLengths] = (place, members, _) => OutOfOrder(place, members),
            [Login] = (_, _, _) => [],
        };

    /// <summary>All of them.</summary>
    public static IReadOnlyCollection<string> Keywords => _checks.Keys;

    /// <summary>The members that a keyword names.</summary>
    public static string[] Members(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(name => name.GetString()!)] : [value.GetString()!];

    /// <summary>Every fault, each with its JSON pointer below <c>/input</c>. Values that other keywords refuse are passed over.</summary>
    public static IEnumerable<ProblemError> Faults(JsonElement schema, JsonElement input) =>
        from place in Place.All(schema, input)
        where place.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array
        from check in _checks
        where place.Schema.TryGetProperty(check.Key, out _)
        from fault in check.Value(place, Members(place.Schema.GetProperty(check.Key)), input)
        select fault;

    private static ProblemError Missing(Place place, string member, string detail) =>
        new ProblemError($"{place.Pointer}/{member}", "required", detail);

    private static bool IsAbsent(JsonElement input) =>
        input.TryGetProperty("state", out var state) && state.ValueKind == JsonValueKind.String && state.ValueEquals("absent");

    private static IEnumerable<ProblemError> Repeated(Place list, string[] members)
    {
        var first = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in list.Items())
        {
            var parts = Key(item, members).ToList();
            var key = string.Join('\n', parts.Select(part => $"{part.Name}={part.Value}"));
            if (!first.TryAdd(key, item.Pointer))
            {
                var (one, other, same) = (first[key], item.Pointer, string.Join(", ", parts.Select(part => part.Name)));
                yield return new ProblemError(one, "unique_by", $"The same {same} as in {other}.");
                yield return new ProblemError(other, "unique_by", $"The same {same} as in {one}.");
            }
        }
    }

    /// <summary>
    /// The values in one spelling. The member that a link-local next hop needs tells objects apart only beside such a next hop, or where
    /// there is none: the same next hop with and without it is the same.
    /// </summary>
    private static IEnumerable<(string Name, string Value)> Key(Place item, string[] members)
    {
        var scope = NextHop(item) is { } hop && !Formats.IsLinkLocal(hop) && item.Schema.TryGetProperty(LinkLocalNeeds, out var needed)
            ? needed.GetString() : null;
        // Control characters are refused before, so none is part of a value.
        foreach (var name in members.Where(name => name != scope))
        {
            if (item.Member(name) is { } member)
            {
                yield return (name, Formats.Canonical(member.Format, member.Value));
            }
        }
    }

    private static IEnumerable<ProblemError> Mixed(Place place, string[] members)
    {
        Place[] given = [.. members.Select(place.Member).OfType<Place>()
            .Where(member => member.Value.ValueKind == JsonValueKind.String && Formats.Fault(member.Format!, member.Value) is null)];
        return given.Where(member => IsV6(member) != IsV6(given[0])).Select(member => new ProblemError(
            member.Pointer, "same_family", $"{member.Value} and {given[0].Value} are not both IPv4 or both IPv6."));
    }

    private static IEnumerable<ProblemError> OutOfOrder(Place place, string[] members)
    {
        if (place.Member(members[0]) is not { Value.ValueKind: JsonValueKind.String } prefix
            || Formats.Fault(prefix.Format!, prefix.Value) is not null)
        {
            yield break;
        }

        var text = prefix.Value.GetString()!;
        var (least, most) = (int.Parse(text[(text.IndexOf('/', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture) + 1,
            IsV6(prefix) ? 128 : 32);
        foreach (var member in members.Skip(1).Select(place.Member).OfType<Place>())
        {
            if (member.Value.ValueKind != JsonValueKind.Number || !member.Value.TryGetInt32(out var length))
            {
                continue;
            }

            if (length < least || length > most)
            {
                yield return new ProblemError(member.Pointer, "out_of_range", least > most
                    ? $"No prefix is longer than {text}." : $"Here it is {least} to {most}, beside {text}.");
            }

            least = Math.Max(least, length);
        }
    }

    private static bool IsV6(Place place) => place.Value.GetString()!.Contains(':');

    /// <summary>The object's next hop; null where there is none that can be read.</summary>
    private static string? NextHop(Place place) =>
        place.Value.ValueKind == JsonValueKind.Object
            ? place.Value.EnumerateObject().Select(member => place.Member(member.Name)).OfType<Place>()
                .Where(member => member.Format == Formats.NextHop && member.Value.ValueKind == JsonValueKind.String
                    && Formats.Fault(Formats.NextHop, member.Value) is null)
                .Select(member => member.Value.GetString()).FirstOrDefault()
            : null;
}
