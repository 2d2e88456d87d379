using System.Globalization;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>
/// Random configurations of real routers and random intents: an apply brings what was asked for and nothing else, a second one changes
/// nothing, and the undo brings the text before again. NETAUTOMATION_CHANGES is how many cases (100), NETAUTOMATION_SEED the first seed.
/// </summary>
[Trait("Requires", "root-lab")]
public sealed class ChangePropertyTests(ChangePropertyTests.Lab lab, SandboxFixture fixture, ITestOutputHelper output)
    : IClassFixture<ChangePropertyTests.Lab>, IClassFixture<SandboxFixture>
{
    private const int Routers = 20;

    private const string PutBack =
        """
        - name: Put back
          configure: { lines: "{{ block_input.undo[inventory_hostname] }}", diff: "" }
        - name: Hand over
          ansible.builtin.set_fact: { block_result: {} }
        """;

    [Fact]
    public async Task A_change_brings_the_intent_and_nothing_else_and_its_undo_the_text_before()
    {
        Assert.SkipUnless(RouterLab.Possible, "needs root and FRR");
        var cases = Number("NETAUTOMATION_CHANGES", 100);
        var seed = Number("NETAUTOMATION_SEED", Random.Shared.Next());
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var faults = new List<string>();
        for (var first = 0; first < cases; first += Routers)
        {
            var intent = new RandomRouter(new Random(unchecked(seed + first))).Intent();
            var routers = lab.Names.Take(Math.Min(Routers, cases - first)).ToList();
            var configurations = routers.ToDictionary(
                name => name,
                name => new RandomRouter(new Random(unchecked((seed * 31) + first + int.Parse(name[1..], CultureInfo.InvariantCulture)))).Configuration(intent));
            foreach (var (kind, fault) in await Play(intent, configurations))
            {
                counts[kind] = counts.GetValueOrDefault(kind) + 1;
                faults.AddRange(fault is null ? [] : [$"seed {seed}, from case {first}: {fault}"]);
            }
        }

        output.WriteLine($"seed {seed}, {cases} cases: {string.Join(", ", counts.Select(count => $"{count.Value} {count.Key}"))}");
        faults.ShouldBeEmpty();
        counts.Where(count => count.Key.StartsWith("begun", StringComparison.Ordinal)).Sum(count => count.Value)
            .ShouldBeGreaterThanOrEqualTo(cases / 2);
    }

    private async Task<IEnumerable<(string Kind, string? Fault)>> Play(
        Intent intent, IReadOnlyDictionary<string, IReadOnlyList<string>> configurations)
    {
        var left = await lab.Texts(configurations.Keys);
        await Task.WhenAll(configurations.Select(each => lab.Configure(each.Key, [.. Cleared(left[each.Key]), .. each.Value])));
        var before = await lab.Texts(configurations.Keys);
        var apply = await Run(intent.Block, intent.Input, configurations.Keys);
        var after = await lab.Texts(configurations.Keys);
        var again = await Run(intent.Block, intent.Input, configurations.Keys);
        var still = await lab.Texts(configurations.Keys);
        var undo = apply.Where(device => device.Value.Outcome == DeviceOutcome.Changed)
            .ToDictionary(device => device.Key, device => device.Value.Result!.Value.GetProperty("undo"));
        var undone = undo.Count == 0 ? [] : await Run(fixture.Block(PutBack), new { undo }, undo.Keys);
        var back = await lab.Texts(undo.Keys);

        return configurations.Keys.Select(router => (
            Kind(intent, new RouterText(before[router])) + ", " + apply[router].Outcome,
            Fault(router) is { } fault
                ? $"{fault}\n{JsonSerializer.Serialize(intent.Input)}\n{apply[router]}\n{before[router]}\n---\n{after[router]}" : null)).ToList();

        string? Fault(string router)
        {
            var (device, old, shown) = (apply[router], new RouterText(before[router]), new RouterText(after[router]));
            if (device.Outcome == DeviceOutcome.Failed && device.Message!.StartsWith("Refuse ", StringComparison.Ordinal))
            {
                return before[router] == after[router] ? null : "refused, and changed";
            }

            return device.Outcome is not (DeviceOutcome.Ok or DeviceOutcome.Changed) ? device.Message
                : device.Outcome == DeviceOutcome.Ok != (before[router] == after[router]) ? $"{device.Outcome} is untrue"
                : intent.Missing(shown) is { } missing ? $"missing: {missing}"
                : Beside(intent, old, shown) is { Length: > 0 } beside ? $"changed beside: {beside}"
                : again[router].Outcome != DeviceOutcome.Ok || still[router] != after[router] ? $"a second apply: {again[router]}"
                : device.Outcome == DeviceOutcome.Changed && back[router] != before[router] ? $"undone: {undone[router].Message}\n{back[router]}"
                : null;
        }
    }

    private static string Kind(Intent intent, RouterText before) =>
        before.About(intent).Any() ? "begun with a part of it or other attributes"
        : before.All.Any(line => intent.Resembles(line[(line.LastIndexOf(" / ", StringComparison.Ordinal) + 3)..])) ? "begun in another section"
        : "without it";

    /// <summary>What differs besides the intent's own objects. A section that came with one of them is none of it.</summary>
    private static string Beside(Intent intent, RouterText before, RouterText after)
    {
        var (old, now) = (before.All.Except(before.About(intent)).ToList(), after.All.Except(after.About(intent)).ToList());
        var headers = after.About(intent).Select(line => line[..line.LastIndexOf(" / ", StringComparison.Ordinal)]).ToHashSet(StringComparer.Ordinal);
        return string.Join(
            "\n", old.Except(now).Select(line => "-" + line).Concat(now.Except(old).Where(line => !headers.Any(
                header => $" / {header}".EndsWith(line, StringComparison.Ordinal) || header.StartsWith(line, StringComparison.Ordinal)
                    || $" / {header}".StartsWith(line, StringComparison.Ordinal))).Select(line => "+" + line)));
    }

    private static IEnumerable<string> Cleared(string text)
    {
        var top = text.Split('\n');
        var section = "";
        foreach (var line in top.Where(line => line.StartsWith("router bgp ", StringComparison.Ordinal)).OrderByDescending(line => line.Length))
        {
            yield return $"no {line}";
        }

        foreach (var line in top)
        {
            section = line.StartsWith(' ') ? section : line;
            if (line.TrimStart().StartsWith("ip route ", StringComparison.Ordinal) || line.TrimStart().StartsWith("ipv6 route ", StringComparison.Ordinal))
            {
                foreach (var typed in line.StartsWith(' ') ? [section, $"no{line}", "exit"] : new[] { $"no {line}" })
                {
                    yield return typed;
                }
            }
        }

        foreach (var line in top.Where(line => line.StartsWith("vrf ", StringComparison.Ordinal)))
        {
            yield return $"no {line}";
        }
    }

    private async Task<Dictionary<string, SandboxDeviceResult>> Run(string block, object input, IEnumerable<string> routers)
    {
        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                "run_" + Guid.NewGuid().ToString("N")[..12], Path.Combine(fixture.Content, block), fixture.Platforms, Check: false,
                JsonSerializer.SerializeToElement(input), [.. routers.Select(router => lab.Device(router))], TimeSpan.FromMinutes(3),
                TimeSpan.FromMinutes(1)),
            lab.Dial));
        return result.Devices.ToDictionary(device => device.Name);
    }

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Twenty routers.</summary>
    public sealed class Lab() : RouterLab(Routers);
}
