using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using NetAutomation.Billing;
using NetAutomation.Content;

namespace NetAutomation.Catalog.Publish;

/// <summary>A block's <c>block.yaml</c>.</summary>
internal sealed record BlockManifest(
    string Slug,
    string Version,
    string Title,
    string Summary,
    Effect Effect,
    JsonElement Input,
    ManifestPrices? Prices = null,
    string[]? Artifacts = null,
    ManifestResult? Result = null)
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false), new PriceConverter() },
    };

    /// <exception cref="ContentException">The folder's block.yaml is not a manifest.</exception>
    public static BlockManifest Read(ContentFolder folder) =>
        ContentManifest.Read<BlockManifest>(folder, "block.yaml", _json, manifest => manifest.Faults(folder.Name));

    private IEnumerable<(string Pointer, string Reason)> Faults(string folder)
    {
        if (Slug != folder || !Regex.IsMatch(Slug, @"^[a-z][a-z0-9-]{1,62}\z", RegexOptions.None, TimeSpan.FromSeconds(1)))
        {
            yield return ("/slug", "the folder's name, of lower-case letters, digits and hyphens");
        }

        if (SemanticVersion.Read(Version) is null)
        {
            yield return ("/version", "three numbers, such as \"1.2.0\"");
        }

        if (Artifacts?.Any(
            name => !Regex.IsMatch(name, @"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z", RegexOptions.None, TimeSpan.FromSeconds(1))) == true)
        {
            yield return ("/artifacts", "plain file names");
        }

        foreach (var fault in InputSchemaRules.Faults(Input, "/input").Concat(Result?.Faults() ?? []))
        {
            yield return fault;
        }
    }

    private sealed class PriceConverter : JsonConverter<Money>
    {
        public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && Money.Read(reader.GetString()!) is { Micros: >= 0 } money
                ? money
                : throw new JsonException("A price is a decimal string in US dollars, such as \"0.05\".");

        public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }
}

/// <summary>The result of a block for each device.</summary>
/// <param name="Schema">JSON Schema of the result.</param>
/// <param name="View">How to show the result; unchanged where absent.</param>
internal sealed record ManifestResult(JsonElement Schema, ResultView? View = null)
{
    public IEnumerable<(string Pointer, string Reason)> Faults()
    {
        var members = Schema.ValueKind == JsonValueKind.Object && Schema.TryGetProperty("properties", out var properties)
            && properties.ValueKind == JsonValueKind.Object
                ? properties.EnumerateObject().Select(member => member.Name).ToHashSet(StringComparer.Ordinal) : [];
        foreach (var fault in InputSchemaRules.Faults(Schema, "/result/schema"))
        {
            yield return fault;
        }

        if (View?.Facts?.Append(View.Table ?? "").Any(name => name.Length > 0 && !members.Contains(name))
            ?? (View?.Table is { } table && !members.Contains(table)))
        {
            yield return ("/result/view", "names members of the result");
        }
    }
}

/// <summary>Members of a result that matter to a person.</summary>
/// <param name="Facts">Shown with their names.</param>
/// <param name="Table">A list, shown as rows.</param>
internal sealed record ResultView(string[]? Facts = null, string? Table = null);

/// <summary>The prices of a manifest. A component without a price is free; a rental or a sale without a price is not offered.</summary>
internal sealed record ManifestPrices(PayPerUsePrices? PayPerUse = null, RentalPrice? Rental = null, OwnedPrice? Owned = null)
{
    public BlockPrices Components()
    {
        var (apply, check) = (PayPerUse?.Apply ?? new(), PayPerUse?.Check ?? new());
        return new BlockPrices(apply.Run, apply.Device, apply.Minute, check.Run, check.Device, check.Minute, Rental?.Month, Owned?.Once);
    }
}

internal sealed record PayPerUsePrices(ModePrices? Apply = null, ModePrices? Check = null);

internal sealed record ModePrices(Money Run = default, Money Device = default, Money Minute = default);

internal sealed record RentalPrice(Money Month);

internal sealed record OwnedPrice(Money Once);
