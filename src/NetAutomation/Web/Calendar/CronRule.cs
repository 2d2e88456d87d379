using System.Globalization;
using System.Text.RegularExpressions;
using Cronos;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Web.Calendar;

/// <summary>
/// Five cron fields: minute, hour, day of month, month, day of week, or a name for them such as @daily. Where both day fields are limited,
/// either is enough (POSIX crontab); Cronos asks for both, so each of them is then an expression of its own.
/// </summary>
internal sealed partial class CronRule(CronExpression[] expressions) : ILocalTimes
{
    private static readonly (string Name, string Range)[] _fields =
        [("minute", "0-59"), ("hour", "0-23"), ("day of month", "1-31"), ("month", "1-12"), ("day of week", "0-7")];

    private static readonly Dictionary<string, int> _names = DateTimeFormatInfo.InvariantInfo.AbbreviatedDayNames.Index()
        .Concat(DateTimeFormatInfo.InvariantInfo.AbbreviatedMonthNames.Take(12).Index().Select(month => (month.Index + 1, month.Item)))
        .ToDictionary(name => name.Item2, name => name.Item1, StringComparer.OrdinalIgnoreCase);

    private static readonly Dictionary<string, string> _macros = new(StringComparer.OrdinalIgnoreCase)
    {
        ["@yearly"] = "0 0 1 1 *", ["@annually"] = "0 0 1 1 *", ["@monthly"] = "0 0 1 * *", ["@weekly"] = "0 0 * * 0",
        ["@daily"] = "0 0 * * *", ["@midnight"] = "0 0 * * *", ["@hourly"] = "0 * * * *",
    };

    /// <summary>Null, and the reason, where the text is neither five fields nor a name for them.</summary>
    public static CronRule? Read(string text, out string fault)
    {
        var fields = text.Length <= 256 ? (_macros.GetValueOrDefault(text.Trim()) ?? text).Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : [];
        if (fields.Length != _fields.Length)
        {
            fault = text.StartsWith('@') ? "The names are @hourly, @daily, @weekly, @monthly and @yearly; or five fields."
                : text.Contains("TZ=", StringComparison.Ordinal) ? "The time zone stands in timeZone, not before the five fields."
                : "Five fields are needed: minute, hour, day of month, month, day of week. None is for seconds or years.";
            return null;
        }

        var eitherDay = fields[2][0] != '*' && fields[4][0] != '*';
        for (var i = 0; i < fields.Length; i++)
        {
            var (name, range) = _fields[i];
            string[] alone = ["*", "*", "*", "*", "*"];
            if (Field(fields[i], range) is not { } field
                || !CronExpression.TryParse(string.Join(' ', [.. alone[..i], field, .. alone[(i + 1)..]]), out _))
            {
                var bounds = range.Replace("-", " to ", StringComparison.Ordinal);
                fault = $"The {name} '{fields[i]}' is not a list of values, ranges and steps from {bounds}.";
                return null;
            }

            fields[i] = field;
        }

        fault = "";
        var (time, month) = ($"{fields[0]} {fields[1]}", fields[3]);
        return new CronRule(eitherDay
            ? [CronExpression.Parse($"{time} {fields[2]} {month} *"), CronExpression.Parse($"{time} * {month} {fields[4]}")]
            : [CronExpression.Parse(string.Join(' ', fields))]);
    }

    public IEnumerable<DateTime> From(DateTime local, EvaluationBudget budget)
    {
        for (var next = Next(local, inclusive: true); next is { } time; next = Next(time, inclusive: false))
        {
            budget.Step();
            yield return DateTime.SpecifyKind(time, DateTimeKind.Unspecified);
        }
    }

    /// <summary>Cronos gets local times as UTC, which has no changes of clocks: <see cref="ZoneClock"/> decides about those.</summary>
    private DateTime? Next(DateTime time, bool inclusive) =>
        expressions.Min(expression => expression.GetNextOccurrence(DateTime.SpecifyKind(time, DateTimeKind.Utc), inclusive));

    /// <summary>
    /// The field as Cronos needs it; null where it is refused. Cronos also takes L, W, #, ? and ranges over the end, takes no star in a
    /// list, and takes 5/1 for 5-59.
    /// </summary>
    private static string? Field(string text, string range)
    {
        var items = text.Split(',');
        for (var i = 0; i < items.Length; i++)
        {
            var item = Item().Match(items[i]);
            if (!item.Success || (item.Groups["last"].Success && Number(item.Groups["first"].Value) > Number(item.Groups["last"].Value)))
            {
                return null;
            }

            var single = item.Groups["first"].Success && !item.Groups["last"].Success;
            items[i] = single && item.Groups["step"].Value is "1" or "01" ? item.Groups["first"].Value
                : items.Length > 1 ? items[i].Replace("*", range, StringComparison.Ordinal)
                : items[i];
        }

        return string.Join(',', items);
    }

    private static int Number(string value) =>
        _names.TryGetValue(value, out var number) ? number : int.Parse(value, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^(\*|(?<first>[0-9]{1,2}|[A-Za-z]{3})(-(?<last>[0-9]{1,2}|[A-Za-z]{3}))?)(/(?<step>[0-9]{1,2}))?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex Item();
}
