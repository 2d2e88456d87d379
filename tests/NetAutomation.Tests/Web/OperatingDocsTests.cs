using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Tests.Web;

/// <summary>docs/operating.md lists exactly the instruments that the service publishes and the loops that it runs.</summary>
public sealed partial class OperatingDocsTests(PostgresServer postgres)
{
    [Fact]
    public async Task Every_instrument_is_listed_with_its_unit_and_meaning()
    {
        await using var host = await ServiceHost.Start(await postgres.Create());
        var factory = host.Services.GetRequiredService<IMeterFactory>();
        var published = new HashSet<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Scope == factory && TelemetryModule.Meters.Any(name => IsNamed(instrument.Meter.Name, name)))
                {
                    published.Add($"{instrument.Name} | {Kind(instrument)} | {instrument.Unit} | {instrument.Description}");
                }
            },
        };
        listener.Start();
        var listed = File.ReadLines(Path.Combine(PostgresServer.RepositoryRoot(), "docs/operating.md")).Select(line => Row().Match(line))
            .Where(row => row.Success)
            .Select(row => string.Join(" | ", new[] { "name", "kind", "unit", "meaning" }.Select(column => row.Groups[column].Value)));
        listed.Order(StringComparer.Ordinal).ShouldBe(published.Order(StringComparer.Ordinal));
        published.Count.ShouldBeGreaterThan(20);
    }

    [Fact]
    public async Task Every_loop_is_listed()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ServiceHost.FollowingAws);
        var loops = host.Services.GetRequiredService<LoopRegistry>().All;
        File.ReadLines(Path.Combine(PostgresServer.RepositoryRoot(), "docs/operating.md")).Select(line => LoopRow().Match(line))
            .Where(row => row.Success).Select(row => (row.Groups["name"].Value, row.Groups["where"].Value == "one scheduler"))
            .ShouldBe(loops.Select(loop => (loop.Name, loop.Turn is not null)), ignoreOrder: true);
    }

    private static string Kind(Instrument instrument) =>
        instrument.GetType().Name.Split('`')[0].Replace("Observable", "", StringComparison.Ordinal);

    private static bool IsNamed(string meter, string name) => name.EndsWith('*')
        ? meter.StartsWith(name[..^1], StringComparison.Ordinal) : meter == name;

    [GeneratedRegex(
        @"^\| `(?<name>[a-z_.]+)` \| (?<kind>\w+) \| `(?<unit>[^`]+)` \| [^|]* \| (?<meaning>[^|]+) \|$", RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"^\| `(?<name>[a-z.-]+)` \| (?<where>api|schedulers|one scheduler) \|", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LoopRow();
}
