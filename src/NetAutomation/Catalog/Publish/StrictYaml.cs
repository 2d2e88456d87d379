using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace NetAutomation.Catalog.Publish;

/// <summary>
/// Reads one YAML 1.2 document of the JSON kind (core schema, section 10.3): no aliases, no tags, no duplicate keys, bounded size and
/// depth. Everything a manifest needs, and nothing that can grow or hide.
/// </summary>
internal sealed partial class StrictYaml
{
    private const int LargestText = 64 * 1024;
    private const int Deepest = 24;
    private readonly IParser _parser;

    private StrictYaml(IParser parser) => _parser = parser;

    /// <exception cref="FormatException">The text is not such a document; the message says where.</exception>
    public static JsonNode? Read(string text)
    {
        if (text.Length > LargestText)
        {
            throw new FormatException($"YAML of more than {LargestText} characters.");
        }

        try
        {
            var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
            parser.Consume<StreamStart>();
            parser.Consume<DocumentStart>();
            var node = new StrictYaml(parser).Node(0);
            parser.Consume<DocumentEnd>();
            parser.Consume<StreamEnd>();
            return node;
        }
        catch (YamlException fault)
        {
            throw new FormatException($"Line {fault.Start.Line}: {fault.Message}", fault);
        }
    }

    private JsonNode? Node(int depth)
    {
        if (depth > Deepest)
        {
            throw Fault($"nested deeper than {Deepest}");
        }

        if (_parser.Accept<NodeEvent>(out var node) && (!node.Anchor.IsEmpty || !node.Tag.IsEmpty))
        {
            throw Fault("anchors and tags are refused");
        }

        if (_parser.TryConsume<Scalar>(out var scalar))
        {
            return scalar.Style == ScalarStyle.Plain ? Plain(scalar.Value) : JsonValue.Create(scalar.Value);
        }

        if (_parser.TryConsume<SequenceStart>(out _))
        {
            var items = new JsonArray();
            while (!_parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(Node(depth + 1));
            }

            return items;
        }

        return _parser.TryConsume<MappingStart>(out _) ? Mapping(depth) : throw Fault("aliases are refused");
    }

    private JsonObject Mapping(int depth)
    {
        var members = new JsonObject();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (!_parser.Accept<Scalar>(out var key) || !key.Anchor.IsEmpty || !key.Tag.IsEmpty)
            {
                throw Fault("a key must be a plain scalar");
            }

            if (key.Value == "<<" || members.ContainsKey(key.Value))
            {
                throw Fault($"duplicate or merge key '{key.Value}'");
            }

            _parser.MoveNext();
            members.Add(key.Value, Node(depth + 1));
        }

        return members;
    }

    private static JsonValue? Plain(string text)
    {
        if (text is "" or "~" or "null" or "Null" or "NULL")
        {
            return null;
        }

        if (text is "true" or "True" or "TRUE" or "false" or "False" or "FALSE")
        {
            return JsonValue.Create(text[0] is 't' or 'T');
        }

        if (Integer().IsMatch(text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            return JsonValue.Create(integer);
        }

        return Fraction().IsMatch(text) && decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var fraction)
            ? JsonValue.Create(fraction)
            : JsonValue.Create(text);
    }

    private FormatException Fault(string what) => new($"Line {_parser.Current?.Start.Line}: {what}.");

    [GeneratedRegex(@"^[-+]?[0-9]+\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fraction();
}
