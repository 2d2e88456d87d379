using System.Globalization;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>
/// Random configurations of real routers and random intents: an apply brings what was asked for and nothing else, a second one changes
/// nothing, and the undo brings back the text before. NETAUTOMATION_CHANGE_CASES is the number of cases (100), NETAUTOMATION_CHANGE_SEED
/// their seed.
/// </summary>
[Trait("Requires", "root-lab")]
public sealed class ChangePropertyTests(ChangePropertyTests.Lab lab, SandboxFixture fixture, ITestOutputHelper output)
    : IClassFixture<ChangePropertyTests.Lab>, IClassFixture<SandboxFixture>
{
    private const int Routers = 20;

    [Fact]
    public async Task A_change_brings_the_intent_and_nothing_else_and_its_undo_the_text_before()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var (cases, seed) = (Number("NETAUTOMATION_CHANGE_CASES", 100), Number("NETAUTOMATION_CHANGE_SEED", Random.Shared.Next()));
        var (kinds, outcomes, faults) = (new List<string>(), new List<DeviceOutcome>(), new List<string>());
        for (var first = 0; first < cases; first += Routers)
        {
            var intent = new RandomRouter(new Random(unchecked(seed + first))).Intent();
            // The first one has nothing to change, and the second one refuses, which may happen to no other.
            var configurations = lab.Names.Take(cases - first).Select((name, index) => (
                    Name: name, Lines: index == 0 ? intent.Lines : index == 1 ? [.. intent.Opposed]
                        : new RandomRouter(new Random(unchecked((31 * seed) + first + index))).Configuration(intent)))
                .ToDictionary(router => router.Name, router => router.Lines);
            foreach (var played in await Play(intent, configurations))
            {
                kinds.Add(Kind(intent, new RouterText(played.Before)));
                outcomes.Add(played.Apply.Outcome);
                if (Fault(intent, played) is { } fault)
                {
                    faults.Add($"seed {seed}, from case {first}: {fault}\n{JsonSerializer.Serialize(intent.Input)}\n{played}");
                }
            }
        }

        output.WriteLine($"seed {seed}, {cases} cases: {Counts(kinds)}; {Counts(outcomes)}");
        faults.ShouldBeEmpty();
        kinds.Count.ShouldBe(cases);
        kinds.Count(kind => kind != "begun without it").ShouldBeGreaterThanOrEqualTo(cases / 2);
        outcomes.Distinct().ShouldBe([DeviceOutcome.Changed, DeviceOutcome.Ok, DeviceOutcome.Failed], ignoreOrder: true);
    }

    [Fact]
    public async Task A_stop_in_the_middle_of_changes_ends_those_under_way_and_begins_no_other()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var routes = new { routes = new[] { new { prefix = "203.0.113.0/24", nextHop = "192.0.2.9" } } };
        await Run("static-routes", new { state = "absent", routes.routes }, lab.Names);
        var before = await lab.Texts(lab.Names);
        var run = fixture.Launcher.Start(Job("static-routes", routes, lab.Names), lab.Dial);
        Task? stop = null;

        var (result, _) = await SandboxFixture.Finish(
            run, seen => stop ??= seen[^1].Data.Contains("Configure", StringComparison.Ordinal) ? run.Stop(TimeSpan.FromMinutes(1)) : null);

        await stop.ShouldNotBeNull();
        var after = await lab.Texts(lab.Names);
        result.Devices.ShouldAllBe(device => device.Outcome == (after[device.Name] == before[device.Name]
            ? DeviceOutcome.NotStarted : DeviceOutcome.Changed));
        result.Devices.ShouldContain(device => device.Outcome == DeviceOutcome.Changed);
    }

    private async Task<List<Played>> Play(Intent intent, Dictionary<string, IReadOnlyList<string>> configurations)
    {
        var left = await lab.Texts(configurations.Keys);
        await Task.WhenAll(configurations.Select(router => lab.Configure(router.Key, [.. Cleared(left[router.Key]), .. router.Value])));
        var before = await lab.Texts(configurations.Keys);
        var apply = await Run(intent.Block, intent.Input, configurations.Keys);
        var after = await lab.Texts(configurations.Keys);
        var again = await Run(intent.Block, intent.Input, configurations.Keys);
        var still = await lab.Texts(configurations.Keys);
        var undo = apply.Where(device => device.Value.Outcome == DeviceOutcome.Changed)
            .ToDictionary(device => device.Key, device => device.Value.Result!.Value.GetProperty("undo").Deserialize<string[]>()!);
        await Task.WhenAll(undo.Select(router => lab.Configure(router.Key, router.Value)));
        var back = await lab.Texts(configurations.Keys);
        return [.. configurations.Keys.Select(
            name => new Played(apply[name], again[name], before[name], after[name], still[name], back[name]))];
    }

    private static string? Fault(Intent intent, Played played)
    {
        var (apply, again, before, after, still, back) = played;
        if (apply is { Outcome: DeviceOutcome.Failed, Code: DeviceCode.Refused, Changed: false })
        {
            return before == after ? null : "refused, and yet changed";
        }

        var beside = Beside(intent, new RouterText(before), new RouterText(after));
        return apply.Outcome is not (DeviceOutcome.Ok or DeviceOutcome.Changed) ? apply.Message
            : (apply.Outcome == DeviceOutcome.Ok) != (before == after) ? $"{apply.Outcome} is untrue"
            : intent.Missing(new RouterText(after)) is { } missing ? $"missing: {missing}"
            : beside.Count > 0 ? $"changed beside: {string.Join(", ", beside)}"
            : again.Outcome != DeviceOutcome.Ok || still != after ? "a second apply changed it"
            : back != before ? "the undo did not bring it back"
            : null;
    }

    private static string Kind(Intent intent, RouterText before) =>
        before.Lines.Any(intent.Concerns) ? "begun with a part or with other attributes"
        : before.Lines.Any(line => intent.Resembles(line.Text)) ? "begun with it in another section"
        : "begun without it";

    /// <summary>Lines that differ and are not the intent's: neither of its objects nor a header of a section with one of them.</summary>
    private static List<RouterLine> Beside(Intent intent, RouterText before, RouterText after)
    {
        var sections = before.Lines.Concat(after.Lines).Where(intent.Concerns).Select(line => line.Section).Distinct().ToList();
        return [.. before.Lines.Except(after.Lines).Concat(after.Lines.Except(before.Lines)).Where(line => !intent.Concerns(line)
            && !sections.Any(section => $"{section} / ".StartsWith(Path(line), StringComparison.Ordinal)))];

        static string Path(RouterLine header) => header.Section.Length == 0 ? $"{header.Text} / " : $"{header.Section} / {header.Text} / ";
    }

    /// <summary>What takes a router's routes, BGP and VRFs away.</summary>
    private static IEnumerable<string> Cleared(string text)
    {
        var lines = new RouterText(text).Lines;
        // The default instance goes last: FRR keeps it as long as there are others.
        var instances = lines.Where(line => line.Text.StartsWith("router bgp ", StringComparison.Ordinal))
            .OrderByDescending(line => line.Text.Length);
        var routes = lines.Where(line => line.Text.StartsWith("ip route ", StringComparison.Ordinal)
            || line.Text.StartsWith("ipv6 route ", StringComparison.Ordinal));
        var vrfs = lines.Where(line => line.Text.StartsWith("vrf ", StringComparison.Ordinal));
        return
        [
            .. instances.Select(line => $"no {line.Text}"),
            .. routes.SelectMany(
                line => line.Section.Length == 0 ? [$"no {line.Text}"] : new[] { line.Section, $"no {line.Text}", "exit" }),
            .. vrfs.Select(line => $"no {line.Text}"),
        ];
    }

    private async Task<Dictionary<string, SandboxDeviceResult>> Run(string block, object input, IEnumerable<string> routers)
    {
        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(Job(block, input, routers), lab.Dial));
        result.Fault.ShouldBeNull();
        return result.Devices.ToDictionary(device => device.Name);
    }

    private SandboxJob Job(string block, object input, IEnumerable<string> routers) => new(
        "run_" + Guid.NewGuid().ToString("N")[..12], Path.Combine(fixture.Content, block), fixture.Platforms, Check: false,
        JsonSerializer.SerializeToElement(input), [.. routers.Select(router => lab.Device(router))], TimeSpan.FromMinutes(3),
        TimeSpan.FromMinutes(1));

    private static string Counts<T>(IEnumerable<T> values) =>
        string.Join(", ", values.CountBy(value => $"{value}").OrderBy(count => count.Key).Select(count => $"{count.Value} {count.Key}"));

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>One case: what the runs said, and what the router showed before and after each.</summary>
    private sealed record Played(
        SandboxDeviceResult Apply, SandboxDeviceResult Again, string Before, string After, string Still, string Back);

    /// <summary>Twenty routers.</summary>
    public sealed class Lab() : RouterLab(Routers);
}
