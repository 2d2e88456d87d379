using System.Runtime.CompilerServices;
using NetAutomation.Inventory.Rules;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Inventory.Select;

/// <summary>A label selector, already SQL: a condition over <c>labels</c> with its parameters.</summary>
internal sealed class Selector
{
    private const int Longest = 4096;

    // Each is looked up in the labels of every device.
    private const int MostRequirements = 50;

    // Of looks into the labels of a device, each of which costs less than a date.
    private const int PerStep = 16;

    // Long labels are stored compressed and apart. They are fetched once for a device, not once for a requirement: adding nothing to them
    // makes a copy, and the offset keeps the copy from being made wherever it is used.
    private const string Unpacked =
        "cross join lateral (select device.labels || '{{}}'::jsonb as labels offset 0) unpacked";

    private readonly List<string> _conditions = [];
    private readonly List<object> _parameters = [];

    private Selector()
    {
    }

    /// <summary>The devices it selects.</summary>
    public FormattableString Query() => FormattableStringFactory.Create(
        $"select device.* from inventory.device {Unpacked} where {string.Join(" and ", _conditions)}", [.. _parameters]);

    /// <summary>Counts what it costs to look at devices.</summary>
    public void Charge(EvaluationBudget? budget, int devices) => budget?.Step(1 + (devices * (1 + _conditions.Count) / PerStep));

    /// <summary>
    /// The selector, or the refusal where the text is none. A key that a device lacks fulfils <c>!=</c> and <c>notin</c>.
    /// </summary>
    /// <param name="pointer">To the text in the request.</param>
    public static Outcome<Selector> Read(string text, string pointer)
    {
        var selector = new Selector();
        var fault = text.Length > Longest ? $"A selector is at most {Longest} characters." : selector.Parse(new SelectorText(text));
        return fault is null ? selector : Web.Problems.Refused.At(pointer, "selector", fault);
    }

    private string? Parse(SelectorText text)
    {
        do
        {
            if ((_conditions.Count == MostRequirements ? $"A selector has at most {MostRequirements} requirements." : Requirement(text))
                is { } fault)
            {
                return fault;
            }
        }
        while (text.Take(","));
        return text.AtEnd ? null : text.Expected("a comma or the end");
    }

    private string? Requirement(SelectorText text)
    {
        var absent = text.Take("!");
        var key = text.Word();
        if (!Labels.IsKey(key))
        {
            return text.Expected("a label key");
        }

        if (absent || text.AtEnd || text.Next == ',')
        {
            Add(absent ? "unpacked.labels ->> {0} is null" : "unpacked.labels ->> {0} is not null", key);
            return null;
        }

        if (text.Take("!="))
        {
            return Value(text, "unpacked.labels ->> {0} is distinct from {1}", key);
        }

        if (text.Take("==") || text.Take("="))
        {
            return Value(text, "unpacked.labels ->> {0} = {1}", key);
        }

        return text.Word() switch
        {
            "in" => Values(text, "unpacked.labels ->> {0} = any ({1})", key),
            "notin" => Values(text, "coalesce(unpacked.labels ->> {0} <> all ({1}), true)", key),
            _ => text.Expected("=, ==, !=, in or notin"),
        };
    }

    private string? Value(SelectorText text, string condition, string key)
    {
        var value = text.Word();
        if (!Labels.IsValue(value))
        {
            return text.Expected("a label value");
        }

        Add(condition, key, value);
        return null;
    }

    private string? Values(SelectorText text, string condition, string key)
    {
        if (!text.Take("("))
        {
            return text.Expected("(");
        }

        if (text.Next == ')')
        {
            return text.Expected("a label value");
        }

        var values = new List<string>();
        do
        {
            values.Add(text.Word());
        }
        while (text.Take(","));
        if (!values.TrueForAll(Labels.IsValue))
        {
            return text.Expected("label values");
        }

        Add(condition, key, values.ToArray());
        return text.Take(")") ? null : text.Expected(")");
    }

    private void Add(string condition, params object[] parameters)
    {
        _conditions.Add(string.Format(
            System.Globalization.CultureInfo.InvariantCulture, condition,
            [.. parameters.Select((_, i) => (object)$"{{{_parameters.Count + i}}}")]));
        _parameters.AddRange(parameters);
    }
}
