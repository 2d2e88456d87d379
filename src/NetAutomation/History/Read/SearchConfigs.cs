using System.ComponentModel;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.History.Read;

/// <summary>A line that was looked for.</summary>
/// <param name="Number">In the text, from 1.</param>
/// <param name="Text">Secrets in it show as <c>***</c>.</param>
public sealed record FoundLine(int Number, string Text);

/// <summary>A device whose newest configuration has what was looked for.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Lines">The first 20 of the lines.</param>
/// <param name="Matches">How many lines there are.</param>
public sealed record FoundConfig(DeviceId DeviceId, IReadOnlyList<FoundLine> Lines, int Matches);

/// <summary>What one search has found.</summary>
/// <param name="Items">In order of the devices' ids.</param>
/// <param name="Searched">How many devices it has looked at.</param>
/// <param name="Next">Pass as <c>after</c> to look at the next devices; null where all were looked at.</param>
public sealed record FoundPage(IReadOnlyList<FoundConfig> Items, int Searched, DeviceId? Next);

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
        var (found, searched, characters, started) = (new List<FoundConfig>(), 0, 0L, clock.GetTimestamp());
        try
        {
            await foreach (
                var (device, lines, mask) in texts.Newest(caller.Tenant, among, query.After?.Value ?? Guid.Empty, cancel))
            {
                var size = lines.Sum(line => line.Length + 1);
                budget.Step(1 + (size >> 10));
                if (Lines(lines, mask, pattern, query.Q) is { Matches: > 0 } hit)
                {
                    found.Add(hit with { DeviceId = device });
                }

                (searched, characters) = (searched + 1, characters + size);
                if (characters >= MostCharacters || found.Count == MostDevices || clock.GetElapsedTime(started) > _longest)
                {
                    return TypedResults.Ok(new FoundPage(found, searched, device));
                }
            }
        }
        catch (RegexMatchTimeoutException)
        {
            return Web.Problems.Refused.At("/regex", "too_costly", "The pattern takes too long on a line.");
        }

        return TypedResults.Ok(new FoundPage(found, searched, null));
    }

    private static FoundConfig Lines(string[] lines, SecretMask mask, Regex? pattern, string? text)
    {
        var (shown, matches) = (new List<FoundLine>(), 0);
        // What a line shows besides its own text is asterisks alone.
        var own = text is not null && !text.Contains('*', StringComparison.Ordinal);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = TextLines.Shown(lines[i]);
            if (own && !line.Contains(text!, StringComparison.Ordinal))
            {
                continue;
            }

            line = mask.Line(line);
            if (text is not null ? line.Contains(text, StringComparison.Ordinal) : pattern!.IsMatch(line))
            {
                matches++;
                if (shown.Count < MostLines)
                {
                    shown.Add(new FoundLine(i + 1, line));
                }
            }
        }

        return new FoundConfig(DeviceId.None, shown, matches);
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
}
