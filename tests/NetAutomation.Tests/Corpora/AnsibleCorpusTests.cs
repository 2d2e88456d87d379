using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Tests.Execution;
using NetAutomation.Tests.Fleet;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// Hostile texts in every place where a customer may write one: what the API takes goes to a router through the shipped blocks, and all of
/// them, whatever the API says, go through real Ansible in a block that uses them in every way a block may.
/// </summary>
[Trait("Requires", "sandbox")]
public sealed class AnsibleCorpusTests(PostgresServer postgres, SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    private const int Batch = 125;
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private static readonly string _pin =
        $"SHA256:{Convert.ToBase64String(
            System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(HostKey.Split(' ')[1]))).TrimEnd('=')}";

    [Fact]
    public async Task A_hostile_text_runs_nowhere()
    {
        Assert.SkipUnless(await SandboxProbe.Check(sandbox.Options, sandbox.Users) is [], "needs namespaces");
        var corpus = new Corpus("ansible");
        var count = Corpus.Of(500, 60);
        var texts = Enumerable.Range(0, count).Select(input => new HostileTexts(Corpus.Dice(input)).Next()).ToList();

        var taken = await Offer(corpus, texts);
        corpus.Progress(count / 3, count);
        await Configure(corpus, taken);
        foreach (var batch in texts.Chunk(Batch))
        {
            if (await Use(corpus, batch, batch[0], InjectionTests.Playbook))
            {
                corpus.Found(Harm.Execution, $"one of {string.Join('\n', batch)}");
            }
        }

        var planted = InjectionTests.Playbook.Replace(
            "- ansible.builtin.debug: { var: block_input }",
            $"- ansible.builtin.debug: {{ msg: \"{{{{ lookup('pipe', 'touch {HostileTexts.Marker}') }}}}\" }}", StringComparison.Ordinal);
        corpus.Planted(await Use(corpus, ["x"], "x", planted), "a block that runs the payload itself");
        corpus.Judge(count);
    }

    /// <summary>Offers each text to the API in one of the places for text; returns inputs of blocks that it took.</summary>
    private async Task<List<JsonElement>> Offer(Corpus corpus, List<string> texts)
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 1);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "pay_per_use" });
        var device = (await RunFixture.Get(fixture.Client, "/v1/devices"))["items"]![0]!;
        string Id(string name) => device[name]!.GetValue<string>();
        var taken = new List<JsonElement>();
        foreach (var (number, text) in texts.Index())
        {
            object neighbor = new { address = $"10.9.{number / 250}.{(number % 250) + 1}", remoteAs = 65001, description = text };
            object Device(string name, object labels) => new
            {
                name, siteId = Id("siteId"), address = $"10.77.{number / 250}.{(number % 250) + 1}", platform = "frr",
                credentialId = Id("credentialId"), hostKeySha256 = _pin, labels,
            };
            var (block, input) = (number % 9) switch
            {
                0 or 1 or 2 => ("bgp-neighbors", (object)new { asn = 65000, neighbors = new[] { neighbor } }),
                3 => ("static-routes", Routes(new { prefix = "10.9.0.0/16", @interface = text })),
                4 => ("static-routes", Routes(new { vrf = text, prefix = "10.9.0.0/16", nextHop = "10.66.0.1" })),
                _ => ("", null),
            };
            var (path, body) = (number % 9) switch
            {
                < 5 => ("/v1/quotes", (object)new { block, mode = "check", targets = new { all = true }, input }),
                5 => ("/v1/devices", Device(text, new { role = "edge" })),
                6 => ("/v1/devices", Device($"r-{number}", new Dictionary<string, string> { [text] = text })),
                7 => ("/v1/sites", new { name = text }),
                _ => ("/v1/credentials", new { name = $"c-{number}", username = text, kind = "password", password = "sample-secret" }),
            };
            using var answer = await fixture.Client.PostAsJsonAsync(path, body);
            corpus.Count(
                answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.Conflict ? "limited"
                : answer.IsSuccessStatusCode ? "taken" : "refused");
            if ((int)answer.StatusCode >= 500)
            {
                corpus.Found(Harm.ServerError, $"{answer.StatusCode}: {path} with {text}");
            }

            if (answer.Headers.RetryAfter?.Delta is { } wait)
            {
                await Task.Delay(wait);
            }

            if (answer.IsSuccessStatusCode && input is not null)
            {
                taken.Add(JsonSerializer.SerializeToElement(input));
            }
        }

        return taken;

        static object Routes(object route) => new { routes = new[] { route } };
    }

    /// <summary>Sends the inputs that were taken to a router, through the shipped blocks.</summary>
    private async Task Configure(Corpus corpus, List<JsonElement> taken)
    {
        var folder = Directory.CreateTempSubdirectory("na-c").FullName;
        try
        {
            using var routers = await Routers.Start(folder, 1);
            foreach (var (block, list) in new[] { ("bgp-neighbors", "neighbors"), ("static-routes", "routes") })
            {
                var parts = taken.Where(input => input.TryGetProperty(list, out _))
                    .SelectMany(input => input.GetProperty(list).EnumerateArray()).ToArray();
                if (parts.Length == 0)
                {
                    continue;
                }

                corpus.Count("configured", parts.Length);
                var input = JsonSerializer.SerializeToElement(new Dictionary<string, object> { ["asn"] = 65000, [list] = parts });
                var device = new SandboxDevice(
                    "dev_1", "frr", routers.Port, Routers.Username, routers.Password, null, null, routers.HostKey(1), null);
                var told = await Play(Path.Combine(sandbox.Content, block), input, device, async cancel =>
                {
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                    await socket.ConnectAsync(IPAddress.Parse(Routers.Address(1)), routers.Port, cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                });
                Judge(corpus, told.Result, $"{block}: {told.Told}");
                if (told.Told.Contains(HostileTexts.Product, StringComparison.Ordinal))
                {
                    corpus.Found(Harm.Execution, $"{block}: {told.Told}");
                }
            }

            var typed = routers.Journal().Select(entry => entry.Text ?? "").ToList();
            corpus.Count("typed", typed.Count);
            foreach (var line in typed.Where(line => line.Contains(HostileTexts.Product, StringComparison.Ordinal)))
            {
                corpus.Found(Harm.Execution, $"typed: {line}");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Whether one of the texts ran, in a block that uses them in every way a block may.</summary>
    private async Task<bool> Use(Corpus corpus, string[] texts, string username, string playbook)
    {
        var device = new SandboxDevice("dev_1", "frr", 22, username, "the password", null, null, _pin, HostKey);
        var (result, told) = await Play(
            sandbox.Block(playbook), JsonSerializer.SerializeToElement(new { texts }), device, _ => Task.FromResult<Stream?>(null));
        Judge(corpus, result, told);
        if (result.Devices is not [{ Result: { } handed }])
        {
            corpus.Found(Harm.Crash, $"no result: {told}");
            return false;
        }

        return handed.GetProperty("appeared").ToString() != "False" || told.Contains(HostileTexts.Product, StringComparison.Ordinal);
    }

    private static void Judge(Corpus corpus, SandboxResult result, string told)
    {
        if (result.Fault is not null || !result.Gone)
        {
            corpus.Found(Harm.Crash, $"{result.Fault}, gone: {result.Gone}: {told}");
        }
    }

    private async Task<(SandboxResult Result, string Told)> Play(
        string block, JsonElement input, SandboxDevice device, Func<CancellationToken, Task<Stream?>> dial)
    {
        var job = new SandboxJob(
            $"run_{Guid.NewGuid():n}"[..16], block, sandbox.Platforms, false, input, [device], TimeSpan.FromMinutes(8),
            TimeSpan.FromMinutes(4));
        var (result, events) = await SandboxFixture.Finish(sandbox.Launcher.Start(job, (_, cancel) => dial(cancel)));
        var told = string.Join('\n', events.Select(each => each.Data))
            + string.Join('\n', result.Devices.Select(each => $"{each.Code} {each.Message} {each.Diff} {each.Result}"));
        return (result, told);
    }
}
