using System.Globalization;
using Npgsql;

namespace NetAutomation.Faults;

/// <summary>
/// Judges the product. It reads the tables with its own SQL as the database's superuser, and the journals of the devices; it does not ask
/// the product. It computes everything from the raw rows.
/// </summary>
internal sealed class Checker(string database)
{
    /// <summary>A transaction's time is its start, so its rows are a little older than the events that they record.</summary>
    private const double Slack = 0.1;

    // In seconds.
    private const double DetectionLimit = 45;
    private const double DatabaseDownLimit = 90;
    private static readonly string[] _components = ["device", "minute", "run"];

    public async Task<Verdict> Check(IReadOnlyList<PlannedRun> planned, IReadOnlyList<JournalEntry> journal, IReadOnlyList<Fault> faults)
    {
        await using var source = NpgsqlDataSource.Create(database);
        var rows = await Read(source);
        var verdict = new Verdict();
        var byKey = rows.Runs.ToLookup(run => run.Key);
        var known = new List<(PlannedRun Plan, RunRow Row)>();
        foreach (var plan in planned)
        {
            var found = byKey[plan.Key].ToList();
            if (found.Count != 1 || (!found[0].Terminal && found[0].State != "unknown"))
            {
                verdict.Add(
                    found.Count > 1 ? Count.DoubleRuns : Count.LostRuns,
                    $"run {plan.Key} (round {plan.Round}): {(found.Count == 1 ? found[0].State : $"{found.Count} rows")}");
            }

            known.AddRange(found.Select(row => (plan, row)));
        }

        foreach (var row in rows.Runs.Where(row => planned.All(plan => plan.Key != row.Key)))
        {
            verdict.Add(Count.DoubleRuns, $"run {row.Id} was never asked for");
        }

        foreach (var (plan, row) in known)
        {
            var devices = rows.Devices[row.Id].ToList();
            Money(verdict, plan, row, devices, rows);
            Outcomes(verdict, plan, row, devices, journal);
            Detection(verdict, plan, row, devices, rows, faults);
            verdict.Attempts += rows.Attempts[row.Id].Count();
            if (rows.Transitions[row.Id].Any(move => move.To == "unknown"))
            {
                verdict.Unknown++;
            }

            if (row.EventCount != row.LastSeq || row.LastEvent != row.LastSeq)
            {
                verdict.Add(
                    Count.BrokenEvents,
                    $"run {plan.Key} (round {plan.Round}) has {row.EventCount} events up to {row.LastEvent}, "
                    + $"its counter says {row.LastSeq}");
            }

            foreach (var device in devices)
            {
                verdict.Outcomes[device.Outcome ?? "none"] = verdict.Outcomes.GetValueOrDefault(device.Outcome ?? "none") + 1;
            }

            verdict.States[row.State] = verdict.States.GetValueOrDefault(row.State) + 1;
        }

        Writes(verdict, known, journal, rows);
        return verdict;
    }

    /// <summary>Whether each run was charged for what it did, and holds nothing any more.</summary>
    public async Task<Verdict> Bills(IReadOnlyList<PlannedRun> planned)
    {
        await using var source = NpgsqlDataSource.Create(database);
        var rows = await Read(source);
        var (verdict, byKey) = (new Verdict(), rows.Runs.ToLookup(run => run.Key));
        foreach (var plan in planned)
        {
            if (byKey[plan.Key].ToList() is not [{ Terminal: true } row])
            {
                verdict.Add(Count.LostRuns, $"run {plan.Key} (round {plan.Round}) is not there once, or has not ended");
                continue;
            }

            Money(verdict, plan, row, [.. rows.Devices[row.Id]], rows);
        }

        foreach (var run in await Query(source, "select run_id from runs.device_hold", row => row.GetGuid(0)))
        {
            verdict.Add(Count.HoldsLeft, $"run {run} holds a device");
        }

        return verdict;
    }

    private static void Money(Verdict verdict, PlannedRun plan, RunRow run, List<DeviceRow> devices, Rows rows)
    {
        var settled = rows.Settlements[run.Id].ToList();
        var charges = rows.Charges[run.Id].ToList();
        var usage = rows.Usage[run.Id].ToList();
        var what = $"run {plan.Key} (round {plan.Round}, {run.State})";
        var twice = settled.GroupBy(s => s.Component).Where(g => g.Count() > 1).Select(g => $"{g.Key} settled")
            .Concat(charges.GroupBy(c => c.Reservation).Where(g => g.Count() > 1).Select(_ => "a reservation charged"))
            .Concat(usage.GroupBy(u => (u.Meter, u.Device)).Where(g => g.Count() > 1).Select(g => $"usage of {g.Key}"));
        foreach (var fault in twice)
        {
            verdict.Add(Count.DoubleSettlements, $"{what}: {fault} more than once");
        }

        if (!run.Terminal)
        {
            if (settled.Count + charges.Count + usage.Count > 0)
            {
                verdict.Add(Count.DoubleSettlements, $"{what}: settled before its end");
            }

            return;
        }

        if (!settled.Select(s => s.Component).Order(StringComparer.Ordinal).SequenceEqual(_components, StringComparer.Ordinal))
        {
            verdict.Add(Count.MissingCharges, $"{what}: settled components are {string.Join(", ", settled.Select(s => s.Component))}");
        }

        // A resolved device costs only if the verdict says that the run completed.
        var billable = devices.Count(d => d.Outcome is "ok" or "changed" && (d.Code != "resolved" || run.Verdict == "completed"));
        foreach (var settlement in settled)
        {
            long? quantity =
                settlement.Component switch { "run" => Math.Min(billable, 1), "device" => billable, _ => billable == 0 ? 0 : null };
            var charged = charges.Where(c => c.Reservation == settlement.Reservation).Sum(c => c.Amount);
            if ((quantity ?? settlement.Quantity) * settlement.Unit != charged || settlement.Amount != charged
                || (quantity ?? settlement.Quantity) != settlement.Quantity)
            {
                verdict.Add(
                    charged > (quantity ?? settlement.Quantity) * settlement.Unit ? Count.DoubleSettlements : Count.MissingCharges,
                    $"{what}: {settlement.Component} {quantity} x {settlement.Unit} is owed, "
                    + $"settled {settlement.Quantity} = {settlement.Amount}, charged {charged}");
            }
        }

        if (charges.Sum(c => c.Amount) != run.Charged)
        {
            verdict.Add(
                charges.Sum(c => c.Amount) > run.Charged ? Count.DoubleSettlements : Count.MissingCharges,
                $"{what}: its charges are {charges.Sum(c => c.Amount)}, it says {run.Charged}");
        }

        var metered = (usage.Where(u => u.Meter == "run").Sum(u => u.Quantity), usage.Where(u => u.Meter == "device").Sum(u => u.Quantity));
        if (metered != (Math.Min(billable, 1), billable))
        {
            verdict.Add(
                metered.Item2 > billable ? Count.DoubleSettlements : Count.MissingCharges,
                $"{what}: {billable} billable devices, metered (runs, devices) {metered}");
        }
    }

    private static void Outcomes(Verdict verdict, PlannedRun plan, RunRow run, List<DeviceRow> devices, IReadOnlyList<JournalEntry> journal)
    {
        foreach (var device in devices)
        {
            var written = journal.Where(h => h.Device == device.Name && h.Kind == "line" && plan.Lines.Contains(h.Text))
                .Select(h => h.Text!).ToList();
            verdict.Reapplied += written.Count - written.Distinct(StringComparer.Ordinal).Count();
            var missing = plan.Lines.Except(written, StringComparer.Ordinal).Count();
            var wrong =
                plan.Mode == "check" ? written.Count > 0 ? "a check wrote" : null
                : device.Outcome == "changed" && missing > 0 ? $"said to be changed, {missing} of {plan.Lines.Count} lines never came"
                // A second attempt that finds the lines of the first reports ok and leaves open who changed the device.
                : written.Count > 0 && (device.Outcome == "not_started" || device.Changed == false)
                    ? $"said to be {device.Outcome} unchanged, {written.Count} lines came"
                : null;
            if (wrong is not null)
            {
                verdict.Add(
                    Count.WrongOutcomes,
                    $"run {plan.Key} (round {plan.Round}, {run.State}) on {device.Name} (code {device.Code}): {wrong}");
            }
        }
    }

    /// <summary>
    /// Measures the time from the fault until the tables show the loss: a run was taken from its worker or, if the path to a device broke,
    /// the outcome of a device in progress.
    /// </summary>
    private static void Detection(
        Verdict verdict, PlannedRun plan, RunRow run, List<DeviceRow> devices, Rows rows, IReadOnlyList<Fault> faults)
    {
        foreach (var fault in faults.Where(f => f.Round == plan.Round && f.Kind != "slow-readers"))
        {
            var rescues = rows.Transitions[run.Id]
                .Where(move => move.By == "rescue" && move.From is "claimed" or "running" or "cancelling" && move.At >= fault.At - Slack);
            var lost = rescues.Select(move => move.At).Take(1).ToList();
            if (fault.Kind is "kill-worker" or "stop-worker")
            {
                var open = rows.Attempts[run.Id].Any(a => a.Claimed <= fault.At && a.Ended > fault.At + Slack);
                if (fault.Affected.Contains(plan.Key) && open && lost.Count == 0)
                {
                    verdict.Add(
                        Count.LateDetections,
                        $"run {plan.Key} (round {plan.Round}, {run.State}): the loss of its worker was never noticed");
                }
            }
            else if (fault.Kind != "kill-postgres")
            {
                lost.AddRange(
                    devices.Where(d => d.Outcome is not ("ok" or "changed") && d.Started < fault.At && d.Finished > fault.At)
                        .Select(d => d.Finished));
            }

            // A lost run need not be noticed before the database has been available for a minute.
            var databaseDown = faults.Any(f => f.Kind == "kill-postgres" && f.At <= fault.At && fault.At - f.At < DatabaseDownLimit);
            foreach (var at in lost)
            {
                var seconds = at - fault.At;
                var (kind, limit) = databaseDown ? ("kill-postgres", DatabaseDownLimit) : (fault.Kind, DetectionLimit);
                verdict.Slowest[kind] = Math.Max(verdict.Slowest.GetValueOrDefault(kind), seconds);
                if (seconds > limit)
                {
                    verdict.Add(
                        Count.LateDetections,
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"run {plan.Key} (round {plan.Round}, {fault.Kind}): noticed after {seconds:0.0} s"));
                }
            }
        }
    }

    /// <summary>Checks who wrote on a device, when, and whether the writer still held it.</summary>
    private static void Writes(Verdict verdict, List<(PlannedRun Plan, RunRow Row)> known, IReadOnlyList<JournalEntry> journal, Rows rows)
    {
        var owner = known.SelectMany(run => run.Plan.Lines.Select(line => (line, run.Row)))
            .ToDictionary(pair => pair.line, pair => pair.Row, StringComparer.Ordinal);
        foreach (var device in journal.GroupBy(h => h.Device))
        {
            var highest = 0L;
            foreach (var write in device.Where(h => h.Kind == "line").OrderBy(h => h.At))
            {
                if (!owner.TryGetValue(write.Text!, out var run))
                {
                    verdict.Add(Count.StaleWrites, $"{device.Key}: '{write.Text}' belongs to no run");
                    continue;
                }

                var opened = device.First(h => h.Session == write.Session && h.Kind == "open").At;
                var attempt = rows.Attempts[run.Id].LastOrDefault(a => a.Claimed <= opened && write.At <= a.Ended + Slack);
                if (attempt is null || attempt.Fence < highest)
                {
                    var attempts = rows.Attempts[run.Id].Select(a => $"{a.Fence}: {a.Claimed:0.000}-{a.Ended:0.000}");
                    verdict.Add(
                        Count.StaleWrites,
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{device.Key}: '{write.Text}' of run {run.Key} at {write.At:0.000}, session of {opened:0.000}, "
                            + $"highest fence {highest}, attempts {string.Join(" ", attempts)}"));
                }

                highest = Math.Max(highest, attempt?.Fence ?? 0);
            }

            var last = double.MinValue;
            var writing = device.Where(h => h.Kind == "line").Select(h => h.Session).Distinct()
                .Select(session => (Open: device.First(h => h.Session == session && h.Kind == "open").At,
                    Last: device.Last(h => h.Session == session && h.Kind is "line" or "save" && h.Session == session).At))
                        .OrderBy(s => s.Open);
            foreach (var session in writing)
            {
                if (session.Open < last)
                {
                    verdict.Add(
                        Count.OverlappingSessions,
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{device.Key}: a session opened at {session.Open:0.000} while another wrote until {last:0.000}"));
                }

                last = Math.Max(last, session.Last);
            }
        }
    }

    private static async Task<Rows> Read(NpgsqlDataSource source)
    {
        const string unix = "extract(epoch from {0})::float8";
        static string At(string column) => string.Format(CultureInfo.InvariantCulture, unix, $"coalesce({column}, 'infinity')");
        return new Rows(
            await Query(source, """
                select r.id, r.labels->>'key', r.state, s.terminal, coalesce(r.charged_micros, 0), r.resolution->>'verdict', r.last_seq,
                  (select count(*) from runs.run_event e where e.run_id = r.id),
                  (select coalesce(max(seq), 0) from runs.run_event e where e.run_id = r.id)
                from runs.run r join runs.run_state s on s.state = r.state
                -- An attacker's runs are not planned.
                where not r.labels ? 'attack'
                """, r => new RunRow(
                    r.GetGuid(0), r.IsDBNull(1) ? "" : r.GetString(1), r.GetString(2), r.GetBoolean(3), r.GetInt64(4), Text(r, 5),
                    r.GetInt64(6), r.GetInt64(7), r.GetInt64(8))),
            (await Query(
                source, $"select run_id, name, outcome, changed, code, {At("started_at")}, {At("finished_at")} from runs.run_device",
                r => (r.GetGuid(0),
                new DeviceRow(
                    r.GetString(1), Text(r, 2), r.IsDBNull(3) ? null : r.GetBoolean(3), Text(r, 4), r.GetDouble(5), r.GetDouble(6)))))
                        .ToLookup(p => p.Item1, p => p.Item2),
            (await Query(
                source, $"select run_id, fence, {At("claimed_at")}, {At("ended_at")} from runs.attempt order by attempt",
                r => (r.GetGuid(0),
                new AttemptRow(r.GetInt64(1), r.GetDouble(2), r.GetDouble(3))))).ToLookup(p => p.Item1, p => p.Item2),
            (await Query(
                source, $"select run_id, from_state, to_state, by, {At("at")} from runs.run_transition order by seq", r => (r.GetGuid(0),
                new TransitionRow(r.GetString(1), r.GetString(2), r.GetString(3), r.GetDouble(4))))).ToLookup(p => p.Item1, p => p.Item2),
            (await Query(source, """
                select s.run_id, s.reservation_id, s.component, s.quantity, s.amount_micros, p.unit_micros
                from billing.settlement s join billing.reservation r on r.id = s.reservation_id
                join billing.price_version p on p.id = r.price_version_id
                """, r => (r.GetGuid(0),
                new SettlementRow(r.GetGuid(1), r.GetString(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5)))))
                    .ToLookup(p => p.Item1, p => p.Item2),
            (await Query(
                source,
                "select r.run_id, r.id, c.amount_micros from billing.charge c join billing.reservation r on r.id = c.reservation_id",
                r => (r.GetGuid(0),
                new ChargeRow(r.GetGuid(1), r.GetInt64(2))))).ToLookup(p => p.Item1, p => p.Item2),
            (await Query(
                source, "select run_id, meter, device_id, quantity from billing.usage_event where reverses is null", r => (r.GetGuid(0),
                new UsageRow(r.GetString(1), r.IsDBNull(2) ? null : r.GetGuid(2), r.GetInt64(3))))).ToLookup(p => p.Item1, p => p.Item2));
    }

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static async Task<List<T>> Query<T>(NpgsqlDataSource source, string sql, Func<NpgsqlDataReader, T> read)
    {
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    private sealed record Rows(
        List<RunRow> Runs, ILookup<Guid, DeviceRow> Devices, ILookup<Guid, AttemptRow> Attempts, ILookup<Guid, TransitionRow> Transitions,
        ILookup<Guid, SettlementRow> Settlements, ILookup<Guid, ChargeRow> Charges, ILookup<Guid, UsageRow> Usage);

    private sealed record RunRow(
        Guid Id, string Key, string State, bool Terminal, long Charged, string? Verdict, long LastSeq, long EventCount, long LastEvent);

    private sealed record DeviceRow(string Name, string? Outcome, bool? Changed, string? Code, double Started, double Finished);

    private sealed record AttemptRow(long Fence, double Claimed, double Ended);

    private sealed record TransitionRow(string From, string To, string By, double At);

    private sealed record SettlementRow(Guid Reservation, string Component, long Quantity, long Amount, long Unit);

    private sealed record ChargeRow(Guid Reservation, long Amount);

    private sealed record UsageRow(string Meter, Guid? Device, long Quantity);
}

/// <summary>Counts that must be zero.</summary>
internal enum Count
{
    LostRuns,
    DoubleRuns,
    DoubleSettlements,
    MissingCharges,
    StaleWrites,
    OverlappingSessions,
    WrongOutcomes,
    BrokenEvents,
    LateDetections,
    SlowedRuns,
    NotHealthyAgain,
    HoldsLeft,
    NotBackInTime,
    WronglyUnknown,
    LeftArmed,
}

/// <summary>The findings of the checker.</summary>
internal sealed class Verdict
{
    public HashSet<(Count Count, string Text)> Problems { get; } = [];

    public Dictionary<string, int> States { get; } = [];

    public Dictionary<string, int> Outcomes { get; } = [];

    /// <summary>Seconds of the slowest detection for each kind of fault.</summary>
    public Dictionary<string, double> Slowest { get; } = [];

    public int Attempts { get; set; }

    /// <summary>Runs that were unknown at some time.</summary>
    public int Unknown { get; set; }

    /// <summary>Lines that reached a device more than once.</summary>
    public int Reapplied { get; set; }

    public void Add(Count count, string text) => Problems.Add((count, text));
}
