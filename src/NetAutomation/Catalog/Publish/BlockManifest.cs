using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using NetAutomation.Billing;

namespace NetAutomation.Catalog.Publish;

/// <summary>A block's <c>block.yaml</c>.</summary>
internal sealed record BlockManifest(
    string Slug,
    string Version,
    string Title,
    string Summary,
    Effect Effect,
    string[] Platforms,
    JsonElement Input,
    ManifestPrices? Prices = null,
    string[]? Artifacts = null)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false), new PriceConverter() },
    };

    /// <exception cref="FormatException">The text is not a manifest; the message says why.</exception>
    public static BlockManifest Parse(string yaml)
    {
        try
        {
            var manifest = StrictYaml.Read(yaml).Deserialize<BlockManifest>(s_json) ?? throw new FormatException("block.yaml is empty.");
            return manifest.Check() is { Count: > 0 } faults ? throw new FormatException(string.Join("; ", faults)) : manifest;
        }
        catch (JsonException fault)
        {
            throw new FormatException(fault.Message, fault);
        }
    }

    private List<string> Check()
    {
        var faults = new List<string>();
        if (!Regex.IsMatch(Slug, @"^[a-z][a-z0-9-]{1,62}\z", RegexOptions.None, TimeSpan.FromSeconds(1)))
        {
            faults.Add("/slug: lower-case letters, digits and hyphens");
        }

        if (SemanticVersion.Read(Version) is null)
        {
            faults.Add("/version: three numbers, such as \"1.2.0\"");
        }

        if (Platforms.Length == 0 || Platforms.Except(Catalog.Platforms.Known, StringComparer.Ordinal).Any())
        {
            faults.Add($"/platforms: some of {string.Join(", ", Catalog.Platforms.Known)}");
        }

        if (Artifacts?.Any(name => !Regex.IsMatch(name, @"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z", RegexOptions.None, TimeSpan.FromSeconds(1))) == true)
        {
            faults.Add("/artifacts: plain file names");
        }

        faults.AddRange(InputSchemaRules.Faults(Input));
        return faults;
    }

    private sealed class PriceConverter : JsonConverter<Money>
    {
        public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && Money.Read(reader.GetString()!) is { Micros: >= 0 } money
                ? money
                : throw new JsonException("A price is a decimal string in US dollars, such as \"0.05\".");

        public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}

/// <summary>The prices of a manifest. What is not said costs nothing; a rental or a sale that is not priced is not offered.</summary>
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
