using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace NetAutomation.Content;

/// <summary>
/// Reads one YAML 1.2 document of the JSON kind (core schema, section 10.3): no aliases, no tags, no duplicate keys, bounded size and
/// depth. A manifest needs no more, and a text without these can neither grow nor hide a value.
/// </summary>
internal sealed partial class StrictYaml
{
    private const int LargestText = 64 * 1024;
    private const int Deepest = 24;
    private readonly string _file;
    private readonly IParser _parser;
    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);

    private StrictYaml(string file, IParser parser) => (_file, _parser) = (file, parser);

    /// <summary>The document as JSON.</summary>
    public JsonNode? Root { get; private set; }

    /// <param name="file">Names the text where it is refused.</param>
    /// <exception cref="ContentException">The text is not such a document.</exception>
    public static StrictYaml Read(string file, string text)
    {
        if (text.Length > LargestText)
        {
            throw ContentException.At(file, 0, $"YAML of more than {LargestText} characters");
        }

        var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
        try
        {
            parser.Consume<StreamStart>();
            parser.Consume<DocumentStart>();
            var yaml = new StrictYaml(file, parser);
            yaml.Root = yaml.Node("", 0);
            parser.Consume<DocumentEnd>();
            parser.Consume<StreamEnd>();
            return yaml;
        }
        catch (YamlException fault)
        {
            throw ContentException.At(file, (int)fault.Start.Line, fault.Message, fault);
        }
        catch (InvalidOperationException fault)
        {
            // The scanner fails like this on some texts that break off inside brackets.
            throw ContentException.At(file, (int)(parser.Current?.End.Line ?? 0), "the YAML cannot be read from here on", fault);
        }
    }

    /// <summary>The line on which the value at a JSON pointer stands, or its nearest parent that is there.</summary>
    public int LineOf(string pointer)
    {
        int line;
        while (!_lines.TryGetValue(pointer, out line) && pointer.LastIndexOf('/') is >= 0 and var parent)
        {
            pointer = pointer[..parent];
        }

        return line;
    }

    private JsonNode? Node(string at, int depth)
    {
        _lines[at] = (int)_parser.Current!.Start.Line;
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
                items.Add(Node($"{at}/{items.Count}", depth + 1));
            }

            return items;
        }

        return _parser.TryConsume<MappingStart>(out _) ? Mapping(at, depth) : throw Fault("aliases are refused");
    }

    private JsonObject Mapping(string at, int depth)
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
            members.Add(key.Value, Node($"{at}/{key.Value}", depth + 1));
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

    private ContentException Fault(string reason) => ContentException.At(_file, (int)(_parser.Current?.Start.Line ?? 0), reason);

    [GeneratedRegex(@"^[-+]?[0-9]+\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Integer();

    [GeneratedRegex(
        @"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fraction();
}
