using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Faults;

/// <summary>Plays guarded changes on one stack, cuts them off, and holds what the product says against the devices.</summary>
internal sealed class GuardRunner(int number, int index, Stack stack, Action<string> progress) : IDisposable
{
    // The least: 10 seconds for a login and 20 for a command (CustomerNetwork), 1 of soak, 1 for the wave.
    private const int ConfirmSeconds = 32;
    private const int Routes = 5;
    private const double SoftSeconds = 60;
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(5);

    // A device that waits must go on before its session counts as dead.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(16);
    private static readonly TimeSpan _headStart = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan _flight = TimeSpan.FromSeconds(0.3);
    private readonly string _vpc = $"f{index}";
    private readonly List<PlannedRun> _planned = [];
    private Dictionary<string, GuardDevice> _devices = [];
    private CustomerNetwork _network = null!;
    private Journals _journals = null!;
    private Customer _customer = null!;
    private NpgsqlDataSource _database = null!;

    /// <summary>How each round went.</summary>
    public List<PlayedRound> Rounds { get; } = [];

    public Verdict Verdict { get; } = new();

    public int Runs => _planned.Count;

    /// <param name="warms">Each device is read twice first, so that no round waits for programs that have never run.</param>
    public async Task Prepare(string repository, bool warms)
    {
        await stack.StartAll();
        Note("the stack is up");
        _customer = new Customer(stack);
        _database = NpgsqlDataSource.Create($"Host={stack.Data}/pg;Database=netautomation;Username=postgres;Maximum Pool Size=4;Timeout=5");
        _network = new CustomerNetwork(stack, _customer);
        var imitated = new List<(ImitatedDevice Device, string Address)>();
        foreach (var (name, platform, count, net) in new[] { ("ios", "ios", 4, 1), ("eos", "eos", 2, 2), ("eosnew", "eos", 1, 3) })
        {
            var process = new ImitationProcess(Path.Combine(stack.Data, "fleet"), name);
            imitated.AddRange(
                Enumerable.Range(1, count)
                    .Select(i => (new ImitatedDevice($"{name}-d{i:00}", platform, process), $"127.66.{net}.{i}")));
        }

        // The others of IOS go back by a reload.
        await Task.WhenAll(imitated.Select(each => each.Device.Prepare(each.Device.Name is "ios-d01" or "ios-d02")));
        var lab = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(stack.State, "lab.json")))!;
        var script = Path.Combine(repository, "deploy/local/lab");
        var real = lab["devices"]!.AsArray().Select(each => (
            Name: $"{each!["name"]}", Platform: $"{each["platform"]}", Address: $"{each["address"]}",
            Port: each["port"]!.GetValue<int>())).ToList();
        var machines = real.ConvertAll<LabDevice>(each =>
            each.Platform == "frr" ? new Router(each.Name, _vpc, script) : new Machine(each.Name, each.Platform, _vpc, script));
        _devices = imitated.Select(each => (GuardDevice)each.Device).Concat(machines).ToDictionary(device => device.Name);
        _journals = new Journals([Path.Combine(stack.Data, "journal"), .. machines.Select(machine => machine.Journal)]);
        foreach (var block in (string[])["static-routes", "raw-lines", "interfaces"])
        {
            await _customer.Post("/v1/purchases", new JsonObject { ["block"] = block, ["kind"] = "pay_per_use" });
        }

        var login = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(stack.Data, "fleet/login.json")))!;
        await _network.AddSite(
            1, login, [.. imitated.Select(each => (each.Device.Name, each.Device.Platform, each.Address, stack.DevicePort))]);
        await _network.AddSite(2, lab["login"]!, real, $"{lab["namespace"]}", stack.LabFront);
        Note("connectors and devices are there");
        if (warms)
        {
            await Task.WhenAll(Warm(), Warm());
        }
    }

    private async Task Warm()
    {
        var run = new PlannedRun($"{Guid.NewGuid()}", 0, "check", [.. _devices.Keys], []);
        _planned.Add(run);
        var body = Body(run, "static-routes", new JsonObject
        {
            ["routes"] = new JsonArray(new JsonObject { ["prefix"] = "10.255.0.0/28", ["nextHop"] = "10.66.0.1" }),
        });
        run.Id = $"{(await _customer.Post("/v1/runs", body, run.Key))["id"]}";
        await Eventually.Within(_limit, async () => (await Ended([run.Key])).Count == 1);
    }

    public async Task Play(GuardBatch batch)
    {
        _journals.ReadNew();
        var played = new List<PlayedRound>();
        foreach (var run in batch.Runs)
        {
            var planned = Plan(run);
            foreach (var round in run)
            {
                var device = _devices[round.Device];
                played.Add(new PlayedRound(round, device, planned.Run, planned.Body, planned.Words, await device.Text()));
                device.Hold(round);
            }
        }

        var fight = new Batch(played, batch.Share);
        Note(string.Join(" ", batch.Runs.Select(
            run => string.Join("+", run.Select(round => $"{round.Number}:{round.Device}")) + $"/{run[0].Cut}@{run[0].Stage}")));
        // Who is to come further begins earlier, so that all of them are there at the same time.
        var (far, near) = (
            played.FindAll(round => round.Round.Stage >= Stage.Applied), played.FindAll(round => round.Round.Stage < Stage.Applied));
        var starting = Start(far);
        Task? second = null;
        using var limit = new CancellationTokenSource(_limit);
        while (!limit.IsCancellationRequested && !(second is { IsCompleted: true } && played.TrueForAll(round => round.Over is not null)))
        {
            await Follow(fight);
            if (far.TrueForAll(round => round.Begun || round.Over is not null) || DateTime.UtcNow - fight.Began > _headStart)
            {
                second ??= Start(near);
            }

            await Harm(fight);
            await Task.Delay(40);
        }

        await Task.WhenAll([starting, second ?? Task.CompletedTask, .. fight.Healing]);
        foreach (var round in played)
        {
            round.Device.Release(round.Round);
            await Judge(fight, round);
        }

        Rounds.AddRange(played);
        if (!await Eventually.Within(TimeSpan.FromSeconds(90), async () => await Scalar<long>(
            """
            select count(distinct connector_id) from connectors.connector_session
            where state = 'attached' and seen_at > now() - interval '45 s'
            """) == 2))
        {
            Found(Count.NotHealthyAgain, "not every connector is attached again");
        }

        Note(string.Join(" ", played.Select(
            round => $"{round.Round.Number}:{(round.Reached is { } at ? $"{at}" : "uncut")}={round.Outcome}"
                + string.Create(CultureInfo.InvariantCulture, $"({(round.Over - fight.Began)?.TotalSeconds:0} s)"))));
    }

    /// <summary>Holds the money of all runs against the ledger, and says what it finds.</summary>
    public async Task Bill()
    {
        var bills = await new Checker($"Host={stack.Data}/pg;Database=netautomation;Username=postgres").Bills(_planned);
        foreach (var (count, text) in bills.Problems)
        {
            Found(count, text);
        }

        foreach (var run in Rounds.GroupBy(round => round.Run))
        {
            // What the API shows, in the prices of these blocks: 0.10 a run and 0.05 a device that came out right.
            var good = run.Count(round => round.Outcome is "changed" or "ok");
            var charged = (await _customer.Get($"/v1/runs/{run.Key.Id}"))["charged"]?["amount"]?.GetValue<string>() ?? "none";
            if (charged != (good == 0 ? 0m : 0.10m + (0.05m * good)).ToString("0.000000", CultureInfo.InvariantCulture))
            {
                Found(Count.DoubleSettlements, $"run {run.Key.Key}: {good} devices came out right, and the API says {charged}");
            }
        }
    }

    public void Dispose()
    {
        _network?.Dispose();
        _customer?.Dispose();
        _database?.Dispose();
    }

    private (PlannedRun Run, JsonObject Body, string[] Words) Plan(IReadOnlyList<GuardRound> rounds)
    {
        var run = new PlannedRun($"{Guid.NewGuid()}", rounds[0].Number, "apply", [.. rounds.Select(round => round.Device)], []);
        _planned.Add(run);
        // No other run has these.
        var (high, low) = Math.DivRem(_planned.Count, 250);
        var networks = Enumerable.Range(0, Routes).Select(i => $"10.{128 + high}.{low}.{16 * i}").ToArray();
        var (block, input, words) = ("static-routes", new JsonObject
        {
            ["routes"] = new JsonArray(
                [.. networks.Select(each => new JsonObject { ["prefix"] = $"{each}/28", ["nextHop"] = "10.66.0.1" })]),
        }, networks);
        if (rounds[0].Cut == Cut.CutOff && _devices[rounds[0].Device].CutsItself is { } own)
        {
            (block, input, words) = (own.Block, own.Input, [own.Word]);
        }

        var body = Body(run, block, input);
        body["guard"] = new JsonObject
        {
            ["confirmSeconds"] = ConfirmSeconds, ["maxFailures"] = rounds.Count, ["waves"] = new JsonArray(rounds.Count),
            ["checks"] = new JsonArray(new JsonObject { ["type"] = "soak", ["seconds"] = 1 }),
        };
        return (run, body, words);
    }

    private JsonObject Body(PlannedRun run, string block, JsonObject input) => new()
    {
        ["block"] = block, ["mode"] = run.Mode, ["input"] = input, ["timeoutSeconds"] = 300,
        ["targets"] = new JsonObject
        {
            ["deviceIds"] = new JsonArray([.. run.Devices.Select(name => (JsonNode)_network.DeviceIds[name])]),
        },
        ["labels"] = new JsonObject { ["key"] = run.Key, ["round"] = $"{run.Round}" },
    };

    private Task Start(IEnumerable<PlayedRound> rounds) => Task.WhenAll(rounds.DistinctBy(round => round.Run).Select(async round =>
    {
        round.Run.Id = $"{(await _customer.Post("/v1/runs", round.Body, round.Run.Key))["id"]}";
    }));

    /// <summary>Sees what the devices and the runs have come to.</summary>
    private async Task Follow(Batch batch)
    {
        foreach (var entry in _journals.ReadNew())
        {
            batch.Rounds.Find(round => round.Device.Name == entry.Device)?.Told.Add(entry);
        }

        foreach (var round in batch.Rounds.Where(round => round.Device.Hard))
        {
            var armed = round.Device.Armed(round.Told);
            if (armed && round.ArmedAt is null)
            {
                round.ArmedAt = round.Told.FindLast(each => each.Kind == "arm")?.At ?? Now();
            }
            else if (!armed && round.ArmedAt is { } since)
            {
                round.ArmedAt = null;
                await Disarmed(round, since);
            }
        }

        if (DateTime.UtcNow < batch.NextLook)
        {
            return;
        }

        batch.NextLook = DateTime.UtcNow.AddSeconds(0.5);
        var ended = await Ended(batch.Rounds.ConvertAll(round => round.Run.Key));
        foreach (var round in batch.Rounds.Where(round => round.Over is null && ended.Contains(round.Run.Key)))
        {
            round.Over = DateTime.UtcNow;
        }
    }

    /// <summary>A device with no timer any more has gone back, or keeps the change.</summary>
    private async Task Disarmed(PlayedRound round, double since)
    {
        var at = round.Told.FindLast(each => each.Kind is "confirm" or "revert" or "reload")?.At ?? Now();
        round.Took = at - since;
        if (round.Took > ConfirmSeconds + round.Device.Slack)
        {
            await Found(Count.NotBackInTime, round, string.Create(CultureInfo.InvariantCulture, $"it was armed for {round.Took:0.0} s"));
        }

        var text = await round.Device.Text();
        if (text != round.Before && !round.IsWanted(text))
        {
            await Found(Count.NotBackInTime, round, $"it has no timer any more, and neither text:\n{text}\nbefore:\n{round.Before}");
        }
    }

    private async Task Harm(Batch batch)
    {
        foreach (var round in batch.Rounds.Where(round => round.At is null && round.Over is null && round.IsHeld))
        {
            round.Held ??= DateTime.UtcNow;
            if (round.Round.Cut is Cut.Drop or Cut.CutOff)
            {
                Struck(round);
                batch.Healing.Add(round.Round.Cut == Cut.Drop ? Drop(round) : CutOff(round));
            }
        }

        var shared = batch.Rounds.FindAll(round => round.Round.Cut is not (Cut.None or Cut.Drop or Cut.CutOff));
        if (batch.Struck || shared.Count == 0 || (!shared.TrueForAll(round => round.Held is not null || round.Over is not null)
            && !shared.Exists(round => DateTime.UtcNow - round.Held > _patience)))
        {
            return;
        }

        batch.Struck = true;
        foreach (var kind in shared.GroupBy(round => round.Round.Cut))
        {
            await Strike(batch, kind.Key, [.. kind]);
        }

        foreach (var round in shared.Where(round => round.Over is null))
        {
            Struck(round);
            batch.Healing.Add(ReleaseLater(round));
        }
    }

    private static void Struck(PlayedRound round)
    {
        round.At = Now();
        // What cuts itself off has done all of it.
        round.Reached = round.Round.Cut == Cut.CutOff && round.Device.CutsItself is not null
            ? Stage.Applied : round.Device.Reached(round.Told, Routes);
    }

    private async Task Strike(Batch batch, Cut cut, IReadOnlyList<PlayedRound> rounds)
    {
        var share = rounds[0].Round.Share;
        int[] connectors = [.. rounds.Select(round => round.Device.Connector).Distinct()];
        switch (cut)
        {
            case Cut.KillWorker:
                foreach (var worker in (string[])["worker1", "worker2"])
                {
                    if (Directory.Exists(stack.Work(worker)) && rounds.Any(
                        round => round.Run.Id is { } id && Directory.GetDirectories(stack.Work(worker), $"{id}-*").Length > 0))
                    {
                        Kill(batch, worker, 3 * share);
                    }
                }

                break;
            case Cut.KillApi:
                var carrying = await Scalar<string>($"""
                    select s.replica from connectors.connector_session s join connectors.connector c on c.id = s.connector_id
                    where c.name = 'connector-{connectors[0]}' and s.state = 'attached' order by s.attached_at desc limit 1
                    """) ?? "api1";
                Kill(batch, batch.Share < 0.6 ? carrying : carrying == "api1" ? "api2" : "api1", 4 * share);
                break;
            case Cut.KillConnector:
                foreach (var connector in connectors)
                {
                    Kill(batch, $"connector{connector}", 15 * share);
                }

                break;
            case Cut.CutLink:
                foreach (var connector in connectors)
                {
                    batch.Healing.Add(CutLink(batch, connector, 1 + (24 * share)));
                }

                break;
            default:
                Kill(batch, "postgres", share);
                break;
        }
    }

    private void Kill(Batch batch, string name, double seconds)
    {
        stack.Kill(name);
        batch.Healing.Add(StartAgain(batch, name, seconds));
    }

    private async Task StartAgain(Batch batch, string name, double seconds)
    {
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        await stack.Start(name);
        batch.Healed = DateTime.UtcNow;
    }

    private async Task CutLink(Batch batch, int connector, double seconds)
    {
        _network.Relays[connector - 1].Cut();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        _network.Relays[connector - 1].Restore();
        batch.Healed = DateTime.UtcNow;
    }

    private static async Task Drop(PlayedRound round)
    {
        round.Device.Release(round.Round, drop: true);
        await Task.Delay(TimeSpan.FromSeconds(1));
        round.Device.Release(round.Round);
    }

    private static async Task CutOff(PlayedRound round)
    {
        round.Device.CutOff();
        await ReleaseLater(round);
        // A soft device is out of reach for longer than a login may take; a hard one has gone back.
        await Task.Delay(TimeSpan.FromSeconds(round.Device.Hard ? ConfirmSeconds + 2 : 25));
        await round.Device.Restore();
        round.Restored = DateTime.UtcNow;
    }

    /// <summary>What was under way to the device may still arrive.</summary>
    private static async Task ReleaseLater(PlayedRound round)
    {
        await Task.Delay(_flight);
        round.Device.Release(round.Round);
    }

    private async Task Judge(Batch batch, PlayedRound round)
    {
        var text = await round.Device.Text();
        if (round.Over is not { } over)
        {
            await Found(Count.LostRuns, round, $"its run has not ended: {await Why(round)}");
            return;
        }

        var device = (await _customer.Get($"/v1/runs/{round.Run.Id}/devices?limit=200"))["items"]!.AsArray()
            .Single(each => $"{each!["name"]}" == round.Device.Name)!;
        (round.Outcome, round.Code) = ($"{device["outcome"]}", $"{device["code"]}");
        if (round.Outcome == "unknown")
        {
            await Found(Count.WronglyUnknown, round, $"{device["message"]}");
        }
        else if (round.Outcome == "failed" && device["changed"]?.GetValue<bool>() == true && round.IsWanted(text)
            && round.Reached is Stage.After or Stage.Confirm)
        {
            // It was confirmed, and could not be saved.
            round.Code = "not_saved";
        }
        else if (round.Outcome is "changed" or "ok" ? !round.IsWanted(text) : text != round.Before)
        {
            await Found(Count.WrongOutcomes, round, $"said to be {round.Outcome}, and has\n{text}\nbefore:\n{round.Before}");
        }
        else if (round.Outcome is not ("changed" or "reverted") && round.Told.Exists(each => each.Kind == "arm"))
        {
            await Found(Count.WrongOutcomes, round, $"it was armed, and is said to be {round.Outcome}");
        }

        // When the way to it and the process that goes it were there again.
        var reachable = new[] { batch.Healed, round.Restored }.Max();
        var back = round.Told.FindLast(each => each.Kind == "line")?.At;
        if (!round.Device.Hard && round.Outcome == "reverted" && back - Unix(reachable ?? over) is > SoftSeconds and var late)
        {
            await Found(Count.NotBackInTime, round, $"it went back {late:0} s after it could be reached");
        }

        var left = "";
        if (!await Eventually.Within(TimeSpan.FromSeconds(10), async () =>
        {
            left = await round.Device.Left();
            return left.Length == 0 && !round.Device.Armed(round.Told);
        }))
        {
            await Found(Count.LeftArmed, round, left);
        }

        if (round.Device is ImitatedDevice)
        {
            // No trouble is left for the next one.
            await round.Device.Restore();
        }
    }

    private async Task<string> Why(PlayedRound round) =>
        round.Run.Id is { } id
            ? $"{await _customer.Get($"/v1/runs/{id}")} {await _customer.Get($"/v1/runs/{id}/why")}" : "it was not accepted";

    private async Task<HashSet<string>> Ended(IReadOnlyList<string> keys)
    {
        var ended = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            await using var command = _database.CreateCommand("""
                select r.labels->>'key' from runs.run r join runs.run_state s on s.state = r.state
                where r.labels->>'key' = any ($1) and (s.terminal or r.state = 'unknown')
                """);
            command.Parameters.AddWithValue(keys.Distinct(StringComparer.Ordinal).ToArray());
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                ended.Add(reader.GetString(0));
            }
        }
        catch (NpgsqlException)
        {
            // The database is down.
        }

        return ended;
    }

    private async Task<T?> Scalar<T>(string sql)
    {
        try
        {
            await using var command = _database.CreateCommand(sql);
            return await command.ExecuteScalarAsync() is T value ? value : default;
        }
        catch (NpgsqlException)
        {
            return default;
        }
    }

    private static double Now() => Unix(DateTime.UtcNow);

    private static double Unix(DateTime at) => (at - DateTime.UnixEpoch).TotalSeconds;

    private async Task Found(Count count, PlayedRound round, string text)
    {
        var events = round.Run.Id is not { } id ? [] : (await _customer.Get($"/v1/runs/{id}/events?after=0"))["items"]!.AsArray();
        var journal = string.Join('\n', round.Told.Select(each => string.Create(
            CultureInfo.InvariantCulture, $"  {each.At:0.000} {each.Session} {each.Kind} {each.Text?.ReplaceLineEndings(" ")}")));
        var sent = string.Join("\n  ", events.Select(each => each!.ToJsonString()));
        Found(count, $"{round}: {text}\njournal:\n{journal}\nevents:\n  {sent}");
    }

    private void Found(Count count, string text)
    {
        Verdict.Add(count, text);
        Note($"FOUND {count}: {text}");
    }

    private void Note(string text) => progress($"stack {number}: {text}");

    /// <summary>Rounds that are under way together.</summary>
    private sealed class Batch(List<PlayedRound> rounds, double share)
    {
        public List<PlayedRound> Rounds => rounds;

        public double Share => share;

        public DateTime Began { get; } = DateTime.UtcNow;

        public DateTime NextLook { get; set; }

        /// <summary>What was cut for all of them is cut.</summary>
        public bool Struck { get; set; }

        /// <summary>When the last of it was as before.</summary>
        public DateTime? Healed { get; set; }

        public List<Task> Healing { get; } = [];
    }
}

/// <summary>A round and what was seen of it.</summary>
/// <param name="Words">What the wanted text has, and the text before has not.</param>
internal sealed record PlayedRound(
    GuardRound Round, GuardDevice Device, PlannedRun Run, JsonObject Body, string[] Words, string Before)
{
    /// <summary>Its journal since the round began.</summary>
    public List<JournalEntry> Told { get; } = [];

    /// <summary>When it was found to wait.</summary>
    public DateTime? Held { get; set; }

    /// <summary>When it was cut, in Unix time.</summary>
    public double? At { get; set; }

    /// <summary>Where its device was then.</summary>
    public Stage? Reached { get; set; }

    /// <summary>Since when a timer is armed, in Unix time.</summary>
    public double? ArmedAt { get; set; }

    /// <summary>Seconds for which the last one was.</summary>
    public double? Took { get; set; }

    public DateTime? Restored { get; set; }

    /// <summary>When its run had ended.</summary>
    public DateTime? Over { get; set; }

    public string? Outcome { get; set; }

    public string? Code { get; set; }

    /// <summary>Its device is being changed.</summary>
    public bool Begun => Told.Exists(each => each.Kind is "arm" or "configure" or "line");

    /// <summary>It waits at its moment, or has cut itself off.</summary>
    public bool IsHeld => Told.Exists(each => each.Kind == "held")
        || (Round.Cut == Cut.CutOff && Device.CutsItself is { } own
            && Told.Exists(each => each.Kind == "line" && each.Text!.Contains(own.Ends, StringComparison.Ordinal)));

    public bool IsWanted(string text) => Array.TrueForAll(
        Words, word => Regex.IsMatch(text, $@"\b{Regex.Escape(word)}\b", RegexOptions.None, TimeSpan.FromSeconds(1)));

    public override string ToString() =>
        $"round {Round.Number} on {Device.Name} ({Round.Cut} at {Round.Stage}, cut at {(Reached is { } at ? $"{at}" : "no time")}, "
        + $"run {Run.Id}, {Outcome} {Code})";
}
