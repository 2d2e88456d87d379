using System.Globalization;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Connections.Policy;

/// <summary>One acceptance rule; the first whose conditions all hold decides. A condition that is left out always holds.</summary>
/// <param name="Name">Shown with every decision it makes; unique in the policy.</param>
/// <param name="Owner">one_active_tenant, several_active_tenants, inactive_tenant, stranger or anyone.</param>
/// <param name="Verdict">accept (only for one_active_tenant), reject or leave.</param>
/// <param name="Reason">Shown to the customer.</param>
/// <param name="Accounts">The endpoint's account is one of these.</param>
/// <param name="Agreement">A tenant of the account has an agreement in one of these states: pending, active, ending (its last hour: it
/// still serves, and is no longer active), ended.</param>
/// <param name="Regions">The endpoint is in one of these AWS Regions.</param>
/// <param name="Tags">The connection carries all of these tags; they are the provider's own.</param>
/// <param name="MaxConnections">The tenant has fewer accepted connections than this.</param>
/// <param name="ValidFrom">From this time on.</param>
/// <param name="ValidUntil">Until before this time.</param>
/// <param name="Hours">Only at these hours of a day.</param>
public sealed record AcceptanceRule(
    string Name,
    string Owner,
    string Verdict,
    string Reason,
    IReadOnlyList<string>? Accounts = null,
    IReadOnlyList<string>? Agreement = null,
    IReadOnlyList<string>? Regions = null,
    IReadOnlyDictionary<string, string>? Tags = null,
    int? MaxConnections = null,
    DateTimeOffset? ValidFrom = null,
    DateTimeOffset? ValidUntil = null,
    AcceptanceHours? Hours = null)
{
    private const int Most = 1000;
    private static readonly string[] _agreements = ["pending", "active", "ending", "ended"];

    /// <summary>Everything that is wrong with a policy, by JSON pointer below <paramref name="at"/>.</summary>
    internal static List<ProblemError> Faults(IReadOnlyList<AcceptanceRule> rules, string at)
    {
        var faults = new List<ProblemError>();
        if (rules.Count > Most)
        {
            faults.Add(new ProblemError(at, "too_many", $"At most {Most} rules."));
        }

        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            faults.AddRange(rule.Faults().Select(fault => new ProblemError($"{at}/{i}/{fault.Pointer}", fault.Code, fault.Detail)));
            if (rules.Take(i).Any(other => other.Name == rule.Name))
            {
                faults.Add(new ProblemError($"{at}/{i}/name", "duplicate", "A rule before has this name."));
            }
        }

        return faults;
    }

    private IEnumerable<ProblemError> Faults()
    {
        foreach (var fault in ShownText.NameFaults(Name, "name", 100).Concat(ShownText.TextFaults(Reason, "reason")))
        {
            yield return fault;
        }

        if (!Wire.TryValue<OwnerKind>(Owner, out var owner))
        {
            yield return new ProblemError(
                "owner", "not_allowed", "one_active_tenant, several_active_tenants, inactive_tenant, stranger or anyone.");
        }

        if (!Wire.TryValue<Verdict>(Verdict, out var verdict))
        {
            yield return new ProblemError("verdict", "not_allowed", "accept, reject or leave.");
        }
        else if (verdict == Policy.Verdict.Accept && owner != OwnerKind.OneActiveTenant)
        {
            // Whose the connection would be must follow from the account alone.
            yield return new ProblemError("verdict", "not_allowed", "accept is for one_active_tenant only.");
        }

        foreach (
            var fault in Each(
                "accounts", Accounts, AwsAccount.IsNumber, "An AWS account has 12 digits.")
            .Concat(Each("agreement", Agreement, _agreements.Contains, "pending, active, ending or ended."))
            .Concat(
                Each("regions", Regions,
                    region => region.Length is > 0 and <= 40
                        && region.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'),
                        "An AWS Region such as eu-central-1.")))
        {
            yield return fault;
        }

        if (Tags is { Count: 0 or > 50 } || (Tags?.Any(tag => tag.Key.Length is < 1 or > 128 || tag.Value.Length > 256) ?? false))
        {
            yield return new ProblemError("tags", "not_allowed", "1 to 50 tags with keys of 1 to 128 and values of up to 256 characters.");
        }

        if (MaxConnections is < 1)
        {
            yield return new ProblemError("maxConnections", "out_of_range", "1 or more.");
        }

        if (ValidFrom >= ValidUntil)
        {
            yield return new ProblemError("validUntil", "out_of_range", "Later than validFrom.");
        }

        foreach (var fault in Hours?.Faults() ?? [])
        {
            yield return fault;
        }
    }

    private static IEnumerable<ProblemError> Each(string member, IReadOnlyList<string>? values, Func<string, bool> fits, string detail)
    {
        if (values is { Count: 0 or > Most })
        {
            yield return new ProblemError(member, "length", $"1 to {Most} values.");
        }

        for (var i = 0; i < Math.Min(values?.Count ?? 0, Most); i++)
        {
            if (!fits(values![i]))
            {
                yield return new ProblemError($"{member}/{i}", "not_allowed", detail);
            }
        }
    }
}

/// <summary>Hours of a day; they may pass midnight.</summary>
/// <param name="From">From this minute on, as in 08:00.</param>
/// <param name="Until">Until before this minute.</param>
/// <param name="Zone">IANA time zone.</param>
public sealed record AcceptanceHours(string From, string Until, string Zone)
{
    internal IEnumerable<ProblemError> Faults()
    {
        if (Minute(From) is null)
        {
            yield return new ProblemError("hours/from", "not_allowed", "A time such as 08:00.");
        }

        if (Minute(Until) is null || Until == From)
        {
            yield return new ProblemError("hours/until", "not_allowed", "A time such as 18:00, other than from.");
        }

        if (ZoneClock.Find(Zone) is null)
        {
            yield return new ProblemError("hours/zone", "not_allowed", "An IANA time zone such as Europe/Berlin.");
        }
    }

    internal bool Hold(DateTimeOffset now)
    {
        var time = TimeOnly.FromDateTime(ZoneClock.Find(Zone)!.Local(now));
        return time.IsBetween(Minute(From)!.Value, Minute(Until)!.Value);
    }

    private static TimeOnly? Minute(string text) =>
        TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : null;
}
