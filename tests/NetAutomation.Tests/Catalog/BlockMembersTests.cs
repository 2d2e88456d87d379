using System.Text.Json;
using NetAutomation.Catalog.Publish;
using NetAutomation.Content;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Catalog;

/// <summary>A member of an input has one meaning: whoever knows it from one block knows it in every other.</summary>
public sealed class BlockMembersTests
{
    private static readonly string[] _bounds =
    [
        "type", "format", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems",
    ];

    /// <summary>Where a member has another form on purpose, and why.</summary>
    private static readonly Dictionary<string, string> _exceptions = new()
    {
        ["compliance section"] = "patterns that are compared, and no lines that are typed",
    };

    [Fact]
    public void A_member_has_the_same_type_format_and_bounds_in_every_block()
    {
        var members =
            from manifest in Manifests()
            from member in Members(manifest.Input)
            where !_exceptions.ContainsKey($"{manifest.Slug} {member.Name}")
            select (member.Name, member.Form, manifest.Slug);

        var faults =
            from member in members
            group member by member.Name into named
            where named.Select(each => each.Form).Distinct().Count() > 1
            from form in named.GroupBy(each => each.Form)
            select $"{named.Key}: {form.Key} in {string.Join(", ", form.Select(each => each.Slug).Distinct())}";

        faults.ShouldBeEmpty();
    }

    [Fact]
    public void Every_text_and_list_of_an_input_is_bounded()
    {
        var faults =
            from manifest in Manifests()
            from member in Members(manifest.Input)
            let bound = Missing(member.Schema)
            where bound is not null
            select $"{manifest.Slug} {member.Name}: {bound}";

        faults.ShouldBeEmpty();
    }

    [Fact]
    public void Exceptions_are_still_needed() => _exceptions.Keys.ShouldBeSubsetOf(
        from manifest in Manifests() from member in Members(manifest.Input) select $"{manifest.Slug} {member.Name}");

    private static IEnumerable<BlockManifest> Manifests() =>
        Directory.GetDirectories($"{PostgresServer.RepositoryRoot()}/src/Blocks")
            .Select(path => BlockManifest.Read(ContentFolder.Read(path)));

    private static IEnumerable<(string Name, string Form, JsonElement Schema)> Members(JsonElement schema)
    {
        var below = schema.TryGetProperty("items", out var items) ? Members(items) : [];
        return schema.TryGetProperty("properties", out var properties)
            ? below.Concat(properties.EnumerateObject().SelectMany(
                member => Members(member.Value).Prepend((member.Name, Form(member.Value), member.Value))))
            : below;
    }

    private static string Form(JsonElement schema) => string.Join(
        ' ', _bounds.Where(name => schema.TryGetProperty(name, out _)).Select(name => $"{name}={schema.GetProperty(name).GetRawText()}")
            .Append(schema.TryGetProperty("items", out var items) ? $"of ({Form(items)})" : ""));

    private static string? Missing(JsonElement schema) => schema.GetProperty("type").GetString() switch
    {
        "string" when !schema.TryGetProperty("enum", out _) && !schema.TryGetProperty("maxLength", out _) => "maxLength",
        "array" when !schema.TryGetProperty("maxItems", out _) => "maxItems",
        "array" => Missing(schema.GetProperty("items")),
        _ => null,
    };
}
