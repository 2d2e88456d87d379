using System.ComponentModel;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.History.Read;

/// <summary>A line that was looked for.</summary>
/// <param name="Number">In the text, from 1.</param>
/// <param name="Text">Secrets in it show as <c>***</c>.</param>
public sealed record FoundLine(int Number, string Text);

/// <summary>A device whose newest configuration has what was looked for.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Device">Its name.</param>
/// <param name="ConfigId">The configuration.</param>
/// <param name="Time">When it was read first.</param>
/// <param name="LastSeen">When it was read last.</param>
/// <param name="Lines">The first 20 of the lines.</param>
/// <param name="Matches">How many lines there are.</param>
public sealed record FoundConfig(
    DeviceId DeviceId, string Device, ConfigId ConfigId, DateTimeOffset Time, DateTimeOffset LastSeen, IReadOnlyList<FoundLine> Lines,
    int Matches);

/// <summary>What one search has found.</summary>
/// <param name="Items">In order of the devices' ids.</param>
/// <param name="Searched">How many devices it has looked at.</param>
/// <param name="WithoutConfig">Of how many devices that were asked for no run has read a configuration, on all pages.</param>
/// <param name="Next">Pass as <c>after</c> to look at the next devices; null where all were looked at.</param>
public sealed record FoundPage(IReadOnlyList<FoundConfig> Items, int Searched, int WithoutConfig, DeviceId? Next);

/// <summary>What is looked for, and where.</summary>
public sealed record SearchQuery(
    [property: Description("Text of a line, as it is written. Either this or regex.")] string? Q = null,
    [property: Description("Pattern of a line: .NET's, without back-references and looking around. Either this or q.")]
    string? Regex = null,
    [property: Description("Label selector: only devices that it selects.")] string? Label = null,
    [property: Description("The last answer's next.")] DeviceId? After = null);

/// <summary>
/// Looks through the newest texts. There is no index, since it would be the texts in clear: they are opened one after the other and
/// searched as they are shown, without their secrets, until the time or the bytes of one request are used up.
/// </summary>
internal static class SearchConfigs
{
    private const int LongestPattern = 256;
    private const int MostLines = 20;
    private const int MostDevices = 200;
    private const long MostCharacters = 128 << 20;
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan _longestMatch = TimeSpan.FromMilliseconds(250);

    /// <summary>Lines of the newest configurations. Long searches go on by pages.</summary>
    internal static async Task<Results<Ok<FoundPage>, Problem>> Handle(
        [AsParameters] SearchQuery query, NetAutomationDb db, ConfigTexts texts, Evaluations evaluations, Caller caller, TimeProvider clock,
        CancellationToken cancel)
    {
        if (Read(query).Refused(out var refused, out var pattern)
            || (query.Label is { } wrong && (refused = TargetResolver.Refusal(wrong, "/label")) is not null))
        {
            return refused;
        }

        var budget = evaluations.Begin(cancel);
        var among = query.Label is { } label ? await TargetResolver.Matching(db, label, budget, cancel) : null;
        var (found, searched, characters, started) = (new List<Hit>(), 0, 0L, clock.GetTimestamp());
        DeviceId? next = null;
        try
        {
            await foreach (var text in texts.Newest(caller.Tenant, among, query.After?.Value ?? Guid.Empty, cancel))
            {
                var size = text.Lines.Bytes.Length + 1;
                budget.Step(1 + (size >> 10));
                if (Find(text, pattern, query.Q) is { Matches: > 0 } hit)
                {
                    found.Add(hit);
                }

                (searched, characters) = (searched + 1, characters + size);
                if (characters >= MostCharacters || found.Count == MostDevices || clock.GetElapsedTime(started) > _longest)
                {
                    next = text.Device;
                    break;
                }
            }
        }
        catch (RegexMatchTimeoutException)
        {
            return Web.Problems.Refused.At("/regex", "too_costly", "The pattern takes too long on a line.");
        }

        return TypedResults.Ok(
            new FoundPage(await Named(db, caller.Tenant, found, cancel), searched, await Without(db, caller.Tenant, among, cancel), next));
    }

    /// <summary>What was found, with what its reader needs to go on.</summary>
    private static async Task<List<FoundConfig>> Named(NetAutomationDb db, TenantId tenant, List<Hit> found, CancellationToken cancel)
    {
        Guid[] devices = [.. found.Select(hit => hit.Device.Value)];
        int[] versions = [.. found.Select(hit => hit.Version)];
        var configs = await db.Query<NamedConfig>(
            $"""
            select f.device, d.name, c.id, s.last_at as again from unnest({devices}, {versions}) as f (device, version)
            join inventory.device d on d.tenant_id = {tenant.Value} and d.id = f.device
            cross join lateral (
              select id from history.config c where c.tenant_id = d.tenant_id and c.device_id = d.id and c.version = f.version
              order by id desc limit 1) c
            left join history.spell s on s.tenant_id = d.tenant_id and s.device_id = d.id and s.id = c.id
            """,
            cancel);
        // A device that was deleted meanwhile has no name any more.
        return [.. found.Join(configs, hit => hit.Device, config => config.Device, (hit, config) => new FoundConfig(
            hit.Device, config.Name, config.Id, ConfigView.TimeOf(config.Id), config.Again ?? ConfigView.TimeOf(config.Id), hit.Lines,
            hit.Matches))];
    }

    private static async Task<int> Without(NetAutomationDb db, TenantId tenant, Guid[]? among, CancellationToken cancel)
    {
        FormattableString these = among is null ? $"" : (FormattableString)$"and d.id = any ({among})";
        return await db.Scalar<int>(
            $"""
            select count(*)::int as "Value" from inventory.device d where d.tenant_id = {tenant.Value} {these}
              and not exists (select from history.device h where h.tenant_id = d.tenant_id and h.device_id = d.id)
            """,
            cancel);
    }

    private static Hit Find(NewestText config, Regex? pattern, string? text)
    {
        var (lines, shown, matches) = (config.Lines, new List<FoundLine>(), 0);
        // What a line shows besides its own text is asterisks alone.
        var own = text is not null && !text.Contains('*', StringComparison.Ordinal);
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines.Show(i);
            if (own && !line.Contains(text!, StringComparison.Ordinal))
            {
                continue;
            }

            line = config.Mask.Line(line);
            if (text is not null ? line.Contains(text, StringComparison.Ordinal) : pattern!.IsMatch(line))
            {
                matches++;
                if (shown.Count < MostLines)
                {
                    shown.Add(new FoundLine(i + 1, line));
                }
            }
        }

        return new Hit(config.Device, config.Version, shown, matches);
    }

    private static Outcome<Regex?> Read(SearchQuery query)
    {
        if (query.Q is null == query.Regex is null)
        {
            return Web.Problems.Refused.At("/q", "one_of", "Exactly one of q and regex.");
        }

        var (given, at) = query.Q is not null ? (query.Q, "/q") : (query.Regex!, "/regex");
        if (given.Length is 0 or > LongestPattern || given.Contains('\n', StringComparison.Ordinal))
        {
            return Web.Problems.Refused.At(at, "out_of_range", $"1 to {LongestPattern} characters of one line.");
        }

        try
        {
            return query.Regex is null ? (Regex?)null
                : new Regex(given, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, _longestMatch);
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            return Web.Problems.Refused.At(at, "pattern", "A regular expression without back-references and looking around.");
        }
    }

    private sealed record Hit(DeviceId Device, int Version, List<FoundLine> Lines, int Matches);

    private sealed record NamedConfig(DeviceId Device, string Name, ConfigId Id, DateTimeOffset? Again);
}
