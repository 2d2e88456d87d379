using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using NetAutomation.Catalog;
using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Execution;

/// <summary>Carries out one claimed run: sandbox, streams to the devices, events, outcomes, ending.</summary>
internal sealed partial class RunExecution(
    Journals journals, DeviceDialler dialler, PlatformCatalog platforms, ISandboxLauncher launcher, RunMetrics metrics,
    IOptions<ExecutionOptions> options,
    TimeProvider clock, ILogger<RunExecution> log)
{
    private static readonly TimeSpan _streamsGone = TimeSpan.FromSeconds(10);

    // Before a sandbox that could not start is tried again.
    private static readonly TimeSpan[] _recoveries = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5)];

    // After this time the session rows of a replica that died no longer count as live.
    private static readonly TimeSpan _longestConfirmation = TimeSpan.FromSeconds(100);

    /// <param name="stop">The worker stops: the run ends soon, and goes back to the queue where another attempt may continue it.</param>
    public async Task Execute(ClaimedRun run, CancellationToken stop)
    {
        var (prepared, impossible) =
            await journals.RetryUntilAvailable<IServiceProvider, (Prepared?, string?)>(services => Prepare(services, run));
        if (!await journals.RetryUntilAvailable(journal => journal.Start(run, CancellationToken.None)))
        {
            Forget(prepared?.Devices ?? []);
            return;
        }

        if (prepared is null)
        {
            await Finish(run, impossible);
            return;
        }

        using var watch = new RunWatch(run, dialler, journals, clock);
        var platformOf = prepared.Devices.ToDictionary(device => device.DeviceId, device => device.Platform);
        using var recorder = new RunRecorder(
            run, Path.Combine(options.Value.WorkDirectory, $"{run.Id}-{run.Attempt}.events"), journals, platformOf, metrics, clock,
            watch.Stop, log);
        recorder.Start();
        foreach (var gone in prepared.Gone)
        {
            await recorder.Report(gone);
        }

        await using var stopping = stop.Register(watch.Stop);
        var watching = watch.Watch();
        var verdict = await Work(run, prepared, watch, recorder);
        // Devices whose turn did not come.
        await Settle(
            run,
            [
                .. prepared.Devices.Select(device => device.Pending).OfType<PendingPassword>()
                    .Where(pending => pending.First && !pending.Dialled).Select(pending => new PasswordVerdict(pending.Id, Holds: false)),
            ]);
        Forget(prepared.Devices);
        watch.Close();
        var recorded = await recorder.Flush();
        // Where this is the first attempt and none of its devices could be tried, nothing was ever dialled.
        var dialled = run.Attempt > 1 || prepared.Devices.Count > 0;
        if (dialled && !await NoStreams(run, watch) && !watch.Lost)
        {
            Log.StreamsUnconfirmed(log, run.Id);
        }

        if (watch.Lost)
        {
            Log.Lost(log, run.Id, run.Fence);
        }
        else if (verdict.HandBack || !recorded)
        {
            await journals.RetryUntilAvailable<RunQueue, string?>(queue => queue.HandBack(run, CancellationToken.None));
        }
        else
        {
            await Finish(run, verdict.NotStarted);
        }

        await watch.Over();
        await watching;
    }

    private async Task<WorkEnd> Work(ClaimedRun run, Prepared prepared, RunWatch watch, RunRecorder recorder)
    {
        try
        {
            return await WorkBatches(run, prepared, watch, recorder);
        }
        catch (Exception fault)
        {
            Log.Broken(log, fault, run.Id);
            return new WorkEnd(HandBack: true);
        }
    }

    private async Task<WorkEnd> WorkBatches(ClaimedRun run, Prepared prepared, RunWatch watch, RunRecorder recorder)
    {
        var (started, failures, number) = (clock.GetTimestamp(), 0, 0);
        var job =
            new SandboxJob(
                "", prepared.Block.Directory, prepared.Platforms, run.Mode == RunMode.Check, prepared.Input, [], run.Timeout,
                LongestSilence(prepared.Devices), prepared.Secrets, BlockInput.Login(prepared.Block), run.Guard,
                prepared.Restored);
        if (run is { Guard: { } guard, Mode: RunMode.Apply })
        {
            var waves = new GuardedWaves(
                run, guard, job, prepared.Devices, prepared.Checks, watch, recorder, journals, clock,
                (each, devices, first) => Sandboxed(run, each, devices, ImmutableHashSet<string>.Empty, watch, recorder, first),
                (left, bad, first) => NotStartedReason(run, watch, left, bad, first), Report);
            return await waves.Work();
        }

        foreach (var batch in prepared.Devices.Chunk(Math.Min(options.Value.DevicesAtOnce, run.Rollout?.BatchSize ?? int.MaxValue)))
        {
            var left = run.Timeout - clock.GetElapsedTime(started);
            var reason = await NotStartedReason(run, watch, left, failures, first: number == 0);
            if (reason is not null || watch.Lost)
            {
                return new WorkEnd(reason, watch.Stopped && run.MayGoOn);
            }

            job = job with { Id = $"{run.Id}-{run.Attempt}-{++number}", HardTimeout = left };
            var (todo, found) = await Verify(run, job with { Id = $"{job.Id}v", Check = true }, batch, watch, recorder);
            if (todo.Count == 0 || !watch.GoesOn)
            {
                continue;
            }

            var result =
                await Sandboxed(run, job with { HardTimeout = run.Timeout - clock.GetElapsedTime(started) }, todo, found, watch, recorder);
            // Where nothing has begun, the run ends and costs nothing: another attempt would have to look for what this one has changed.
            if (run.MayGoOn && !watch.Cancelled && (watch.Stopped || (result.Fault is not null && !CouldNotStart(result))))
            {
                return new WorkEnd(HandBack: true);
            }

            // From the cancel on no session is opened, which the device's last task may learn before the worker does.
            if (result.Devices.Any(IsRefused))
            {
                await watch.LookForCancel();
            }

            var byAlias = todo.ToDictionary(device => Alias(device.DeviceId), StringComparer.Ordinal);
            foreach (var device in result.Devices)
            {
                var interrupted = watch.Cancelled ? DeviceCode.Cancelled : watch.Stopped ? DeviceCode.WorkerStopped : null;
                var report = Report(device, byAlias[device.Name], found);
                report = watch.Cancelled && IsRefused(device)
                    ? report with { Outcome = DeviceOutcome.NotStarted, Code = null, Message = null } : report;
                await recorder.Report(report.Code is null && !report.Outcome.IsGood() ? report with { Code = interrupted } : report);
            }

            failures += result.Devices.Count(device => device.Outcome.IsFailure());
        }

        return new WorkEnd();
    }

    /// <summary>No shorter than a command of one of these devices may take.</summary>
    private TimeSpan LongestSilence(IReadOnlyList<DeviceLogin> devices) => TimeSpan.FromSeconds(
        devices.Max(device => device.Options.CommandSeconds) is { } longest
            ? Math.Max(options.Value.IdleSeconds, longest + 60) : options.Value.IdleSeconds);

    /// <summary>Why the next batch is not started: a code; null where it is.</summary>
    private async Task<string?> NotStartedReason(ClaimedRun run, RunWatch watch, TimeSpan left, int failures, bool first) =>
        watch.Cancelled ? DeviceCode.Cancelled
        : watch.Stopped ? DeviceCode.WorkerStopped
        : left <= TimeSpan.Zero ? DeviceCode.HardTimeout
        : failures > (run.Guard?.MaxFailures ?? run.Rollout?.MaxFailures ?? int.MaxValue) ? DeviceCode.MaxFailures
        : !first && await journals.RetryUntilAvailable(journal => journal.OutsideWindows(run, CancellationToken.None))
            ? DeviceCode.WindowClosed
        : null;

    /// <summary>
    /// Checks the devices that a lost attempt may have configured. One that cannot be checked stays unknown. The others are configured
    /// again, also those that are as wanted, since the lost attempt may not have saved it.
    /// </summary>
    private async Task<(IReadOnlyList<DeviceLogin> Todo, IReadOnlySet<string> AsWanted)> Verify(
        ClaimedRun run, SandboxJob job, DeviceLogin[] batch, RunWatch watch, RunRecorder recorder)
    {
        var doubtful = run.Devices.Where(device => device.Verify).Select(device => device.Id).ToHashSet();
        if (!batch.Any(device => doubtful.Contains(device.DeviceId)))
        {
            return (batch, ImmutableHashSet<string>.Empty);
        }

        var found = new HashSet<string>(StringComparer.Ordinal);
        var result = await Sandboxed(run, job, [.. batch.Where(device => doubtful.Contains(device.DeviceId))], found, watch, recorder);
        var todo = batch.Where(device => !doubtful.Contains(device.DeviceId)).ToList();
        foreach (var seen in result.Devices)
        {
            var device = batch.Single(device => Alias(device.DeviceId) == seen.Name);
            if (seen.Outcome.IsGood())
            {
                todo.Add(device);
                _ = seen.Outcome == DeviceOutcome.Ok && found.Add(seen.Name);
                continue;
            }

            await recorder.Report(Report(seen, device, found) with
            {
                Outcome = DeviceOutcome.Unknown,
                Changed = null,
                Code = DeviceCode.NotVerified,
                Message = $"An earlier attempt was lost, and the device could not be looked at. {seen.Message}",
            });
        }

        return (todo, found);
    }

    /// <summary>
    /// One sandbox from start to end. The caller reports the outcomes after which a device may be tried again.
    /// </summary>
    /// <param name="found">Devices that a look after a lost attempt found as wanted.</param>
    /// <param name="first">Sees the events first; true where it has dealt with one.</param>
    private async Task<SandboxResult> Sandboxed(
        ClaimedRun run, SandboxJob job, IReadOnlyList<DeviceLogin> devices, IReadOnlySet<string> found, RunWatch watch,
        RunRecorder recorder, FirstReader? first = null)
    {
        var result = await SandboxedOnce(run, job, devices, found, watch, recorder, first);
        foreach (var recovery in _recoveries)
        {
            if (CouldNotStart(result) && watch.GoesOn)
            {
                await Task.Delay(recovery, clock);
                result = await SandboxedOnce(run, job, devices, found, watch, recorder, first);
            }
        }

        return result;
    }

    private static bool CouldNotStart(SandboxResult result) => result is { Fault: not null, Gone: true }
        && result.Devices.All(device => device is { Outcome: DeviceOutcome.NotStarted, Contacted: false });

    private async Task<SandboxResult> SandboxedOnce(
        ClaimedRun run, SandboxJob job, IReadOnlyList<DeviceLogin> devices, IReadOnlySet<string> found, RunWatch watch,
        RunRecorder recorder, FirstReader? first)
    {
        dialler.Permit(run.Tenant, run.Id, run.Fence);
        var byAlias = devices.ToDictionary(device => Alias(device.DeviceId), StringComparer.Ordinal);
        using var span = Spans.Start("sandbox");
        SandboxRun sandbox;
        try
        {
            var described = job with { Devices = [.. devices.Select(device => Described(run, job, device))] };
            sandbox = launcher.Start(described, async (alias, cancel) =>
            {
                // A sandbox that was kept ready calls out of a context of its own.
                using var dial = Spans.StartUnder(span, "dial", ActivityKind.Client);
                byAlias[alias].Pending?.Dialled = true;
                return await DeviceStream.Open(dialler, run, byAlias[alias], clock, cancel);
            });
        }
        catch (SandboxFailedException failed)
        {
            Log.Fault(log, run.Id, failed.Message);
            metrics.SandboxFault("not_started");
            return new SandboxResult([.. byAlias.Keys.Select(SandboxDeviceResult.NotStarted)], failed.Message, Gone: true);
        }

        watch.Attach(sandbox, looks: job.Looks);
        var verifies = job.Check && run.Mode == RunMode.Apply;
        try
        {
            await foreach (var told in sandbox.Events)
            {
                var (time, type, device, data, outcome, _) = told;
                if (type == "login" && job.Looks)
                {
                    // The change may still go back, and its password with it: both are kept.
                }
                else if (type == "login")
                {
                    await Settle(run, byAlias[device!], JsonElement.Parse(data).GetProperty("pending").GetBoolean());
                }
                else if (first is not null && await first(sandbox, told))
                {
                    // It needs no more.
                }
                else if (type == "planned")
                {
                    await recorder.Add(RunEvent.Of(time, new GuardStep(DeviceId.Parse(device!), type, GuardedWaves.KindOf(data))));
                }
                else if (outcome is null)
                {
                    await recorder.Add(new RunEvent(time, type, device is null ? null : DeviceId.Parse(device), data));
                }
                else if (
                    !verifies && outcome.Outcome is not (DeviceOutcome.NotStarted or DeviceOutcome.Unknown) && !IsRefused(outcome))
                {
                    await recorder.Report(Report(outcome, byAlias[outcome.Name], found));
                }
            }
        }
        catch
        {
            await sandbox.Stop(TimeSpan.Zero);
            throw;
        }

        var result = await sandbox.Completion;
        if (result.Fault is { } fault)
        {
            Log.Fault(log, run.Id, fault);
            metrics.SandboxFault(CouldNotStart(result) ? "not_started" : "broken");
        }
        else if (result.Devices.Any(device => device.Code == DeviceCode.SandboxLimit))
        {
            metrics.SandboxFault("limit");
        }

        return result;
    }

    /// <summary>
    /// Keeps the password that the device takes and forgets the other, but for one that this run is about to give it.
    /// </summary>
    private async Task Settle(ClaimedRun run, DeviceLogin login, bool holds)
    {
        if (login.Pending is not { } pending || (pending.Given && !holds))
        {
            return;
        }

        await Settle(run, [new PasswordVerdict(pending.Id, holds)]);
        if (holds)
        {
            login.Adopt();
        }
        else
        {
            login.Pending = null;
        }
    }

    private Task Settle(ClaimedRun run, IReadOnlyCollection<PasswordVerdict> verdicts) => verdicts.Count == 0
        ? Task.CompletedTask
        : journals.RetryUntilAvailable<NetAutomationDb, bool>(async db =>
        {
            await using var transaction = await db.Begin(run.Tenant, CancellationToken.None);
            foreach (var verdict in verdicts)
            {
                DeviceAccess.Settle(db, run.Tenant, verdict);
            }

            await transaction.CommitAsync();
            return true;
        });

    /// <summary>What a device's outcome tells of the password that this run gives it.</summary>
    private static PasswordVerdict? Learned(SandboxDeviceResult result, DeviceLogin login) => login.Pending switch
    {
        { Given: true, Own: true } pending when result.Outcome.IsGood() => new PasswordVerdict(pending.Id, Holds: true),
        { Given: true, First: true } pending when !result.Outcome.IsGood() && result.Changed == false =>
            new PasswordVerdict(pending.Id, Holds: false),
        _ => null,
    };

    private static bool IsRefused(SandboxDeviceResult device) =>
        device is { Outcome: DeviceOutcome.Unreachable, Code: DeviceCode.StaleFence };

    private static string Alias(DeviceId device) => device.ToString();

    /// <summary>As the job has the device, or with what is known of it.</summary>
    private static SandboxDevice Described(ClaimedRun run, SandboxJob job, DeviceLogin device) =>
        job.Devices.FirstOrDefault(each => each.Name == Alias(device.DeviceId)) ?? SandboxDevice.Of(device) with
        {
            Planned = run.Devices.Single(each => each.Id == device.DeviceId).Planned is { } hash ? TextHash.Digits(hash) : null,
            Restored = job.Restored,
        };

    private static void Forget(IReadOnlyList<DeviceLogin> devices)
    {
        foreach (var device in devices)
        {
            device.Dispose();
        }
    }

    private static DeviceReport Report(SandboxDeviceResult result, DeviceLogin login, IReadOnlySet<string> found)
    {
        var report = new DeviceReport(
            DeviceId.Parse(result.Name), result.Outcome, result.Changed, result.Contacted, result.Code, result.Message,
            result.Result?.GetRawText(), result.Diff.Length > 0 ? result.Diff : null, result.BeforeHash,
            result.Outcome == DeviceOutcome.Reverted ? result.BeforeHash : result.AfterHash,
            [.. result.Artifacts.Select(file => new ArtifactFile(file.Name, "text/plain; charset=utf-8", file.Content))])
        {
            Password = Learned(result, login),
            // What a guard took back was never the device's for long.
            Texts = result.Texts.Count == 0 || result.Outcome == DeviceOutcome.Reverted
                ? null : new DeviceTexts(login.Platform, result.Kept ? null : Text(result, "before"), Text(result, "after")),
        };
        return report.Outcome != DeviceOutcome.Ok || !found.Contains(result.Name) ? report : report with
        {
            Changed = null,
            Code = DeviceCode.Verified,
            Message = "An earlier attempt was lost; the device was found as wanted.",
        };
    }

    private static byte[]? Text(SandboxDeviceResult result, string name) =>
        result.Texts.FirstOrDefault(text => text.Name == name)?.Content;

    /// <summary>
    /// A code in place of the work where the run can no longer start: its block was withdrawn, or a secret is not the one that was planned.
    /// A look needs the logins alone, so nothing that became of the input stops it.
    /// </summary>
    private async Task<(Prepared? Prepared, string? Impossible)> Prepare(IServiceProvider services, ClaimedRun run)
    {
        var (db, access) = (services.GetRequiredService<NetAutomationDb>(), services.GetRequiredService<DeviceAccess>());
        await using var transaction = await db.Begin(run.Tenant, CancellationToken.None);
        var block = await services.GetRequiredService<BlockCatalog>().Planned(db, run.Block, run.Version, CancellationToken.None);
        // A run that may have configured devices has begun: the version that did it can tell what became of them.
        if (block.Withdrawn && !run.Devices.Any(device => device.Verify))
        {
            return (null, DeviceCode.VersionWithdrawn);
        }

        var rotates = run is { Mode: RunMode.Apply, Looks: false } ? BlockInput.Login(block) : null;
        DeviceId[] ids = [.. run.Devices.Where(device => !device.CheckFailed).Select(device => device.Id)];
        if (rotates is not null)
        {
            DeviceAccess.Hold(db, ids);
        }

        var opened = await access.Open(db, ids, CancellationToken.None);
        var devices = opened.Where(device => device.HostKeySha256 is not null).ToList();
        var known = opened.Select(device => device.DeviceId).ToHashSet();
        Forget([.. opened.Except(devices)]);
        var secrets = await access.OpenSecrets(db, [.. run.Secrets.Keys], CancellationToken.None);
        if (!run.Looks && run.Secrets.Any(planned => secrets.GetValueOrDefault(planned.Key)?.Version != planned.Value))
        {
            Forget(devices);
            return (null, DeviceCode.SecretRotated);
        }

        var texts = secrets.ToDictionary(secret => secret.Key, secret => secret.Value.Reveal());
        var input = run.Looks || texts.Count == 0 ? run.Input : BlockInput.WithSecrets(block, run.Input, id => JsonValue.Create(texts[id]));
        IReadOnlyList<DeviceLogin> open = [];
        if (rotates is [var user, var password])
        {
            open = await Pend(
                db, access, run, devices, input.GetProperty(user).GetString()!, input.GetProperty(password).GetString()!);
            devices = [.. devices.Except(open)];
            Forget(open);
        }

        var (restored, unrestored) = run.Looks ? (null, []) : await Restored(services, run, block, devices);
        devices = [.. devices.Except(unrestored)];
        Forget(unrestored);
        await services.GetRequiredService<AuditLog>().Append(
            run.Tenant, "worker", "worker", null, "credentials.opened", run.Id.ToString(),
            new { run.Attempt, run.Fence, devices = devices.Count, secrets = run.Secrets }, CancellationToken.None);
        await transaction.CommitAsync();
        var byId = devices.ToDictionary(device => device.DeviceId);
        var unsettled = open.Select(device => device.DeviceId).ToHashSet();
        var lost = unrestored.Select(device => device.DeviceId).ToHashSet();
        return (
            new Prepared(
                block, [.. run.Devices.Where(device => byId.ContainsKey(device.Id)).Select(device => byId[device.Id])],
                [.. run.Devices.Where(device => !byId.ContainsKey(device.Id)).Select(
                    device => lost.Contains(device.Id) ? Unrestored(device)
                        : Gone(device, unsettled.Contains(device.Id), known.Contains(device.Id)))],
                await Folders(db, run), input, [.. texts.Values], run.Looks ? [] : await Checks(services, db, run), restored),
            null);
    }

    /// <summary>
    /// Keeps the password that the run gives its devices, where it is that of their login. Returns the devices that may have another one
    /// from an earlier run: with a third one, nobody would know theirs.
    /// </summary>
    private static async Task<IReadOnlyList<DeviceLogin>> Pend(
        NetAutomationDb db, DeviceAccess access, ClaimedRun run, IReadOnlyList<DeviceLogin> devices, string user, string password)
    {
        var rotated = devices.Where(device => device.Password is not null
            && string.Equals(device.Username, user, StringComparison.OrdinalIgnoreCase)).ToList();
        var open = rotated.Where(device => device.Pending is { } pending && pending.Text.Reveal() != password).ToList();
        var doubtful = run.Devices.Where(device => device.Verify).Select(device => device.Id).ToHashSet();
        await access.Pend(db, run.Tenant, [.. rotated.Except(open)], user, password, doubtful);
        return open;
    }

    /// <summary>
    /// A device that is gone or unproven since the run was planned, or failed the check of its plan: the run goes on without it.
    /// </summary>
    private static DeviceReport Gone(ClaimedDevice device, bool unsettled, bool known) => device.CheckFailed ? new(
        device.Id, DeviceOutcome.NotStarted, false, false, DeviceCode.CheckFailed, "The device failed the check of the plan.", null, null,
        null, null, []) : new(
        device.Id, device.Verify ? DeviceOutcome.Unknown : DeviceOutcome.NotStarted, null, false,
        unsettled ? DeviceCode.PasswordPending : known ? DeviceCode.HostKeyNotPinned : DeviceCode.DeviceDeleted,
        (unsettled ? "The device may have the password of an earlier run, which no login has proven. Test the device, and start again."
            : known ? "The device's host key is no longer pinned." : "The device was deleted after the run was planned.")
            + (device.Verify ? " An earlier attempt was lost, and the device could not be looked at." : ""),
        null, null, null, null, []);

    /// <summary>The configuration that the block gives its device, and the devices that cannot have it any more.</summary>
    private static async Task<(byte[]? Text, IReadOnlyList<DeviceLogin> Unrestored)> Restored(
        IServiceProvider services, ClaimedRun run, BlockVersion block, IReadOnlyList<DeviceLogin> devices)
    {
        if (BlockInput.Restored(block, run.Input) is not { } config)
        {
            return (null, []);
        }

        var history = services.GetRequiredService<ConfigHistory>();
        var owner = await history.Owner(run.Tenant, config, CancellationToken.None);
        List<DeviceLogin> others = [.. devices.Where(
            device => (owner?.DeviceId, owner?.Platform) != (device.DeviceId, device.Platform))];
        return (owner is null ? null : await history.Text(run.Tenant, owner, CancellationToken.None), others);
    }

    private static DeviceReport Unrestored(ClaimedDevice device) => new(
        device.Id, device.Verify ? DeviceOutcome.Unknown : DeviceOutcome.NotStarted, null, false, DeviceCode.Refused,
        "The configuration is gone, or the device is of another platform now.", null, null, null, null, []);

    /// <summary>The read blocks of the run's guard.</summary>
    private static async Task<IReadOnlyList<(BlockVersion Block, JsonElement Input)>> Checks(
        IServiceProvider services, NetAutomationDb db, ClaimedRun run)
    {
        var checks = new List<(BlockVersion, JsonElement)>();
        foreach (var (block, version, input) in run.Guard?.Blocks ?? [])
        {
            checks.Add((await services.GetRequiredService<BlockCatalog>().Planned(db, block, version, CancellationToken.None), input));
        }

        return checks;
    }

    private async Task<IReadOnlyDictionary<string, string>> Folders(NetAutomationDb db, ClaimedRun run)
    {
        var folders = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, digest) in run.Platforms)
        {
            if (await platforms.Directory(db, digest, CancellationToken.None) is { } directory)
            {
                folders[name] = directory;
            }
        }

        return folders;
    }

    /// <summary>
    /// True once the connectors have confirmed that no stream of the run is open. Where a link is lost, this takes until its streams must
    /// have been cut: the permit has run out, or the connector has noticed the loss.
    /// </summary>
    private async Task<bool> NoStreams(ClaimedRun run, RunWatch watch)
    {
        var started = clock.GetTimestamp();
        while (!await dialler.ConfirmNoStreams(run.Tenant, run.Id, run.Fence, _streamsGone, CancellationToken.None))
        {
            if (watch.Lost || clock.GetElapsedTime(started) > _longestConfirmation)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), clock);
        }

        return true;
    }

    /// <summary>The outcomes are known; only writing them can fail, and then only for as long as the database is away.</summary>
    private Task<bool> Finish(ClaimedRun run, string? notStarted) =>
        journals.RetryUntilAvailable<RunEndings, bool>(endings => endings.Finish(run, notStarted, CancellationToken.None));

    /// <summary>Content and logins for the work on a run.</summary>
    /// <param name="Gone">Devices that cannot be worked on any more.</param>
    /// <param name="Platforms">Folders by name.</param>
    /// <param name="Input">With the texts of its secrets.</param>
    /// <param name="Checks">Read blocks that must end well before a change is confirmed.</param>
    /// <param name="Restored">The configuration that the device is to have, of a block that restores one.</param>
    private sealed record Prepared(
        BlockVersion Block, IReadOnlyList<DeviceLogin> Devices, IReadOnlyList<DeviceReport> Gone,
        IReadOnlyDictionary<string, string> Platforms, JsonElement Input,
        IReadOnlyList<string> Secrets, IReadOnlyList<(BlockVersion Block, JsonElement Input)> Checks, byte[]? Restored);

    private static partial class Log
    {
        [LoggerMessage(803, LogLevel.Warning, "Run {Run} was lost: fence {Fence} is no longer the highest")]
        public static partial void Lost(ILogger logger, RunId run, long fence);

        [LoggerMessage(804, LogLevel.Warning, "Run {Run}: {Fault}")]
        public static partial void Fault(ILogger logger, RunId run, string fault);

        [LoggerMessage(806, LogLevel.Error, "Run {Run} ended by an unexpected error")]
        public static partial void Broken(ILogger logger, Exception exception, RunId run);

        [LoggerMessage(805, LogLevel.Warning, "Run {Run}: the connectors did not confirm that no stream is open")]
        public static partial void StreamsUnconfirmed(ILogger logger, RunId run);
    }
}
