using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using NetAutomation.Web;
using NJsonSchema;
using NJsonSchema.Validation;

namespace NetAutomation.Catalog;

/// <summary>Holds a customer's input to the block's schema, and to what may reach Ansible at all.</summary>
internal static class BlockInput
{
    private const int Largest = 256 * 1024;
    private static readonly ConcurrentDictionary<string, JsonSchema> s_compiled = new(StringComparer.Ordinal);
    private static readonly string[] s_templates = ["{{", "{%", "{#"];

    /// <summary>Every fault, each with its JSON pointer below <c>/input</c>; empty where the input may run.</summary>
    public static IReadOnlyList<ProblemError> Validate(BlockVersion version, JsonElement input)
    {
        if (input.ValueKind != JsonValueKind.Object)
        {
            return [new ProblemError("/input", "type", "The input is an object.")];
        }

        var text = input.GetRawText();
        if (text.Length > Largest)
        {
            return [new ProblemError("/input", "too_large", $"The input is at most {Largest} characters.")];
        }

        var faults = new List<ProblemError>();
        CheckText(input, "/input", faults);
        if (faults.Count == 0)
        {
            var schema = s_compiled.GetOrAdd(version.Digest, _ => Compile(version.InputSchema));
            Collect(schema.Validate(text), faults);
        }

        return [.. faults.DistinctBy(fault => (fault.Pointer, fault.Code))];
    }

    /// <exception cref="FormatException">The schema cannot be read.</exception>
    internal static JsonSchema Compile(string schema)
    {
        try
        {
            // Without references, which the publishing rules refuse, nothing here waits.
#pragma warning disable VSTHRD002
            return JsonSchema.FromJsonAsync(schema).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (Exception fault) when (fault is InvalidOperationException or Newtonsoft.Json.JsonException)
        {
            throw new FormatException($"/input: {fault.Message}", fault);
        }
    }

    /// <summary>
    /// Strings that a template engine or a terminal would act on. Every string is marked unsafe for Jinja later on; the mark has been
    /// bypassed before (CVE-2023-5764, CVE-2024-11079). Control characters include the line feed, which .NET's <c>$</c> lets pass.
    /// </summary>
    private static void CheckText(JsonElement value, string at, List<ProblemError> faults)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var names = new HashSet<string>(StringComparer.Ordinal);
                foreach (var member in value.EnumerateObject())
                {
                    if (Text(() => member.Name) is not { } name)
                    {
                        faults.Add(new ProblemError(at, "control_character", "A member's name is not Unicode text."));
                        continue;
                    }

                    var pointer = $"{at}/{Escape(name)}";
                    if (!names.Add(name))
                    {
                        faults.Add(new ProblemError(pointer, "duplicate", "The member stands twice."));
                    }

                    CheckString(name, pointer, faults);
                    CheckText(member.Value, pointer, faults);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                {
                    CheckText(item, $"{at}/{index++}", faults);
                }

                break;
            case JsonValueKind.String:
                CheckString(Text(value.GetString) ?? "\0", at, faults);
                break;
            case JsonValueKind.Number:
                // The validator reads integers as 64 bits and throws beyond.
                var isInteger = value.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0;
                if (isInteger ? !value.TryGetInt64(out _) : !double.IsFinite(value.GetDouble()))
                {
                    faults.Add(new ProblemError(at, "out_of_range", "The number is too large."));
                }

                break;
        }
    }

    /// <summary>Null where the JSON text holds half of a surrogate pair.</summary>
    private static string? Text(Func<string?> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static void CheckString(string text, string at, List<ProblemError> faults)
    {
        if (s_templates.Any(mark => text.Contains(mark, StringComparison.Ordinal)))
        {
            faults.Add(new ProblemError(at, "template", "Template marks ({{, {%, {#) are refused."));
        }

        if (text.Any(c => char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator))
        {
            faults.Add(new ProblemError(at, "control_character", "Control, formatting and line characters are refused."));
        }
    }

    private static void Collect(IEnumerable<ValidationError> errors, List<ProblemError> faults)
    {
        foreach (var error in errors)
        {
            if (error is ChildSchemaValidationError { Kind: ValidationErrorKind.ArrayItemNotValid } items)
            {
                Collect(items.Errors.SelectMany(pair => pair.Value), faults);
                continue;
            }

            var kind = error is MultiTypeValidationError types
                ? types.Errors.SelectMany(pair => pair.Value).Select(child => child.Kind).FirstOrDefault(child => Code(child) != "type", error.Kind)
                : error.Kind;
            faults.Add(new ProblemError(Pointer(error), Code(kind), Detail(Code(kind), error.Schema)));
        }
    }

    /// <summary>
    /// The validator joins names with dots. Names that stand in a schema hold none (the publishing rules see to it), so only the last
    /// part, a name the customer made up, needs care.
    /// </summary>
    private static string Pointer(ValidationError error)
    {
        var path = error.Path.AsSpan().TrimStart("#/").ToString();
        var name = error.Property is { Length: > 0 } property && property[0] != '[' && path.EndsWith(property, StringComparison.Ordinal) ? property : "";
        var parents = path[..^name.Length].Split(['.', '[', ']', '/'], StringSplitOptions.RemoveEmptyEntries);
        return string.Concat(["/input", .. parents.Select(part => $"/{part}"), name.Length > 0 ? $"/{Escape(name)}" : ""]);
    }

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static string Code(ValidationErrorKind kind) => kind switch
    {
        ValidationErrorKind.PropertyRequired => "required",
        ValidationErrorKind.NoAdditionalPropertiesAllowed => "additional_property",
        ValidationErrorKind.PatternMismatch => "pattern",
        ValidationErrorKind.NotInEnumeration => "enum",
        ValidationErrorKind.StringTooShort => "min_length",
        ValidationErrorKind.StringTooLong => "max_length",
        ValidationErrorKind.NumberTooSmall => "minimum",
        ValidationErrorKind.NumberTooBig => "maximum",
        ValidationErrorKind.NumberNotMultipleOf => "multiple_of",
        ValidationErrorKind.TooFewItems => "min_items",
        ValidationErrorKind.TooManyItems => "max_items",
        ValidationErrorKind.ItemsNotUnique => "unique_items",
        ValidationErrorKind.IpV4Expected or ValidationErrorKind.IpV6Expected or ValidationErrorKind.HostnameExpected or ValidationErrorKind.DateTimeExpected => "format",
        _ => "type",
    };

    private static string Detail(string code, JsonSchema schema) => code switch
    {
        "required" => "The member is missing.",
        "additional_property" => "The block has no such input.",
        "pattern" => $"Must match {schema.Pattern}",
        "enum" => $"Must be one of {string.Join(", ", schema.Enumeration)}.",
        "min_length" => $"At least {schema.MinLength} characters.",
        "max_length" => $"At most {schema.MaxLength} characters.",
        "minimum" => $"At least {schema.Minimum ?? schema.ExclusiveMinimum}.",
        "maximum" => $"At most {schema.Maximum ?? schema.ExclusiveMaximum}.",
        "multiple_of" => $"Must be a multiple of {schema.MultipleOf}.",
        "min_items" => $"At least {schema.MinItems} items.",
        "max_items" => $"At most {schema.MaxItems} items.",
        "unique_items" => "The items must differ.",
        "format" => $"Must be of format {schema.Format}.",
        _ => $"Must be of type {schema.Type.ToString().ToLowerInvariant()}.",
    };
}
