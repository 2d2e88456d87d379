extern alias schema;

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Web;
using schema::Json.More;
using schema::Json.Schema;
using schema::Json.Schema.Keywords;

namespace NetAutomation.Catalog.Schema;

/// <summary>A block's input schema, compiled. It knows the keywords that the publishing rules allow, and no others.</summary>
internal sealed class InputSchema
{
    /// <summary>How patterns are read: in time that grows with the text alone, and so without what makes a match go back.</summary>
    public const RegexOptions PatternOptions = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
    private static readonly TimeSpan _longestMatch = TimeSpan.FromSeconds(1);
    private static readonly EvaluationOptions _options = new() { OutputFormat = OutputFormat.List };

    private static readonly Dictionary<string, (string Code, string Detail)> _faults = new(StringComparer.Ordinal)
    {
        [""] = ("additional_property", "The block has no such input."),
        ["required"] = ("required", "The member is missing."),
        ["type"] = ("type", "Must be of type {0}."),
        ["enum"] = ("enum", "Must be one of {0}."),
        ["pattern"] = ("pattern", "The text is not of the form that the block takes."),
        ["format"] = ("format", "{0}"),
        ["minLength"] = ("min_length", "At least {0} characters."),
        ["maxLength"] = ("max_length", "At most {0} characters."),
        ["minimum"] = ("minimum", "At least {0}."),
        ["exclusiveMinimum"] = ("minimum", "More than {0}."),
        ["maximum"] = ("maximum", "At most {0}."),
        ["exclusiveMaximum"] = ("maximum", "Less than {0}."),
        ["multipleOf"] = ("multiple_of", "Must be a multiple of {0}."),
        ["minItems"] = ("min_items", "At least {0} items."),
        ["maxItems"] = ("max_items", "At most {0} items."),
        ["uniqueItems"] = ("unique_items", "The items must differ."),
    };

    private static readonly Dialect _dialect = new(
        // The package wants patternProperties and prefixItems beside what stands for the rest. The publishing rules refuse both.
        PropertiesKeyword.Instance, PatternPropertiesKeyword.Instance, AdditionalPropertiesKeyword.Instance,
        PrefixItemsKeyword.Instance, ItemsKeyword.Instance,
        TitleKeyword.Instance, DescriptionKeyword.Instance, DefaultKeyword.Instance, ExamplesKeyword.Instance,
        new Keyword(RequiredKeyword.Instance), new Keyword(EnumKeyword.Instance), new Own("format", Format),
        new Own(Relations.UniqueBy), new Own(Relations.RequiredAny), new Own(Relations.RequiredUnlessAbsent),
        new Own(Relations.SameFamily), new Own(Relations.LinkLocalNeeds), new Own(Relations.PrefixLengths),
        new Own(Relations.Login),
        new Keyword(MinimumKeyword.Instance), new Keyword(ExclusiveMinimumKeyword.Instance), new Keyword(MultipleOfKeyword.Instance),
        new Keyword(MaximumKeyword.Instance), new Keyword(ExclusiveMaximumKeyword.Instance),
        new Keyword(MinItemsKeyword.Instance), new Keyword(MaxItemsKeyword.Instance),
        new Keyword(TypeKeyword.Instance, Type), new Keyword(PatternKeyword.Instance, Pattern),
        new Keyword(UniqueItemsKeyword.Instance, Unique),
        new Keyword(MinLengthKeyword.Instance, least => text => Length(text) is not { } length || length >= least.GetInt32()),
        new Keyword(MaxLengthKeyword.Instance, most => text => Length(text) is not { } length || length <= most.GetInt32()))
    { AllowUnknownKeywords = false };

    private const string End = "$";
    private const string NoLineBreak = @"(?!\n)";
    private readonly JsonSchema _schema;
    private readonly JsonElement _text;

    private InputSchema(JsonSchema schema, JsonElement text) => (_schema, _text) = (schema, text);

    /// <summary>The schema as it was written.</summary>
    public JsonElement Text => _text;

    /// <summary>
    /// A pattern as .NET has to read it: a dollar at the end is the end, as JSON Schema has it, and not also the place before a line break.
    /// </summary>
    public static string Matched(string pattern)
    {
        if (!pattern.EndsWith(End, StringComparison.Ordinal) || (pattern.Length - pattern.AsSpan()[..^1].TrimEnd('\\').Length) % 2 == 0)
        {
            return pattern;
        }

        var text = pattern[..^1];
        return (text.EndsWith(NoLineBreak, StringComparison.Ordinal) ? text[..^NoLineBreak.Length] : text) + @"\z";
    }

    /// <exception cref="FormatException">The schema cannot be read.</exception>
    public static InputSchema Read(string schema)
    {
        try
        {
            var options = new BuildOptions { Dialect = _dialect, SchemaRegistry = new SchemaRegistry() };
            return new InputSchema(JsonSchema.FromText(schema, options), JsonElement.Parse(schema));
        }
        catch (Exception fault) when (fault is JsonSchemaException or JsonException)
        {
            throw new FormatException($"/input: {fault.Message}", fault);
        }
    }

    /// <summary>Every fault, each with its JSON pointer below <c>/input</c>. Numbers of the input are of bounded length.</summary>
    public IEnumerable<ProblemError> Faults(JsonElement input)
    {
        EvaluationResults results;
        try
        {
            results = _schema.Evaluate(input, _options);
        }
        catch (RegexMatchTimeoutException)
        {
            return [new ProblemError("/input", "pattern", "A text takes too long to be checked.")];
        }

        return (results.Details ?? []).Append(results)
            .SelectMany(place => (place.Errors ?? []).SelectMany(error => Faults(input, place, error.Key, error.Value)))
            .Concat(Relations.Faults(_text, input));
    }

    /// <summary>The input and everything in it.</summary>
    public IEnumerable<Place> Places(JsonElement input) => Place.All(_text, input);

    /// <summary>The values of the input that have a format, each with its JSON pointer below <c>/input</c>.</summary>
    public IEnumerable<(string Pointer, string Format, JsonElement Value)> Formatted(JsonElement input) =>
        from place in Places(input)
        let format = place.Format
        where format is not null && place.Value.ValueKind != JsonValueKind.Null
        select (place.Pointer, format, place.Value);

    /// <summary>The input with something else in place of each secret.</summary>
    public JsonElement WithSecrets(JsonElement input, Func<CredentialId, JsonNode?> secret) =>
        JsonSerializer.SerializeToElement(WithSecrets(_text, input, secret));

    private static JsonNode? WithSecrets(JsonElement schema, JsonElement value, Func<CredentialId, JsonNode?> secret) =>
        value.ValueKind switch
        {
            JsonValueKind.Object when new Place("", schema, value).Format == Formats.Secret => secret(Formats.Credential(value)!.Value),
            JsonValueKind.Object => new JsonObject(value.EnumerateObject().Select(member => KeyValuePair.Create(
                member.Name, WithSecrets(schema.GetProperty("properties").GetProperty(member.Name), member.Value, secret)))),
            JsonValueKind.Array => new JsonArray(
                [.. value.EnumerateArray().Select(item => WithSecrets(schema.GetProperty("items"), item, secret))]),
            _ => JsonNode.Parse(value.GetRawText()),
        };

    private static IEnumerable<ProblemError> Faults(JsonElement input, EvaluationResults place, string keyword, string error)
    {
        var (code, detail) = _faults[keyword];
        var pointer = $"/input{place.InstanceLocation}";
        if (keyword.Length == 0)
        {
            return [new ProblemError(pointer, code, detail)];
        }

        var value = JsonElement.Parse(error);
        if (keyword == "required")
        {
            var given = place.InstanceLocation.Evaluate(input)!.Value;
            return value.EnumerateArray().Where(name => !given.TryGetProperty(name.GetString()!, out _))
                .Select(name => new ProblemError($"{pointer}/{name}", code, detail));
        }

        var text = value.ValueKind == JsonValueKind.Array ? string.Join(", ", value.EnumerateArray()) : $"{value}";
        return [new ProblemError(pointer, code, string.Format(CultureInfo.InvariantCulture, detail, text))];
    }

    private static Func<JsonElement, string?> Format(JsonElement name)
    {
        var format = name.GetString()!;
        return Formats.Names.Contains(format)
            ? (JsonElement value) => Formats.Fault(format, value) : throw new JsonSchemaException($"There is no format {format}.");
    }

    /// <summary>An integer has 64 bits, however it is written; the package takes larger ones.</summary>
    private static Predicate<JsonElement> Type(JsonElement type)
    {
        JsonElement[] listed = type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray()] : [type];
        var types = listed.Select(each => each.GetString()).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return value => value.ValueKind switch
        {
            JsonValueKind.Number => types.Contains("number")
                || (types.Contains("integer") && CanonicalJson.IsWhole(value.GetRawText(), out _)),
            JsonValueKind.True or JsonValueKind.False => types.Contains("boolean"),
            var kind => types.Contains($"{kind}"),
        };
    }

    /// <summary>The package matches without a time limit.</summary>
    private static Predicate<JsonElement> Pattern(JsonElement pattern)
    {
        var regex = new Regex(Matched(pattern.GetString()!), PatternOptions, _longestMatch);
        return value => value.ValueKind != JsonValueKind.String || regex.IsMatch(value.GetString()!);
    }

    /// <summary>The package compares every item with every other.</summary>
    private static Predicate<JsonElement> Unique(JsonElement unique) =>
        value => value.ValueKind != JsonValueKind.Array || !unique.GetBoolean()
            || value.EnumerateArray().ToHashSet(JsonElementEqualityComparer.Instance).Count == value.GetArrayLength();

    /// <summary>Characters as the standard counts them. The package counts a letter with all its marks as one.</summary>
    private static int? Length(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()!.EnumerateRunes().Count() : null;

    /// <summary>A keyword of the package whose error is the value it has in the schema, with a check of ours where one is given.</summary>
    private sealed class Keyword(IKeywordHandler handler, Func<JsonElement, Predicate<JsonElement>>? own = null) : IKeywordHandler
    {
        public string Name => handler.Name;

        public object? ValidateKeywordValue(JsonElement value)
        {
            var read = handler.ValidateKeywordValue(value);
            return own is null ? read : own(value);
        }

        public void BuildSubschemas(KeywordData keyword, BuildContext context)
        {
            // None of these keywords holds a schema.
        }

        public KeywordEvaluation Evaluate(KeywordData keyword, EvaluationContext context)
        {
            var result = keyword.Value is Predicate<JsonElement> holds
                ? new KeywordEvaluation { Keyword = Name, IsValid = holds(context.Instance) }
                : handler.Evaluate(keyword, context);
            return result.IsValid ? result : result with { Error = keyword.RawValue.GetRawText() };
        }
    }

    /// <summary>
    /// A keyword whose meaning is ours: <c>format</c>, with an error in plain words, and those that only <see cref="Relations"/> reads.
    /// </summary>
    private sealed class Own(string name, Func<JsonElement, Func<JsonElement, string?>>? check = null) : IKeywordHandler
    {
        public string Name => name;

        public object? ValidateKeywordValue(JsonElement value) => check?.Invoke(value);

        public void BuildSubschemas(KeywordData keyword, BuildContext context)
        {
            // None of these keywords holds a schema.
        }

        public KeywordEvaluation Evaluate(KeywordData keyword, EvaluationContext context)
        {
            var result = new KeywordEvaluation { Keyword = Name, IsValid = true };
            return (keyword.Value as Func<JsonElement, string?>)?.Invoke(context.Instance) is { } fault
                ? result with { IsValid = false, Error = JsonSerializer.Serialize(fault) } : result;
        }
    }
}
