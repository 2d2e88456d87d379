using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Platform;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>Carries out one claimed run: sandbox, streams to the devices, events, outcomes, ending.</summary>
internal sealed partial class RunExecution(
    NetAutomationDb db, RunJournal journal, BlockCatalog catalog, DeviceAccess access, AuditLog audit, DeviceDialler dialler, ISandboxLauncher launcher, IServiceScopeFactory scopes,
    TimeProvider clock, ILogger<RunExecution> log)
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StreamsGone = TimeSpan.FromSeconds(10);
    private readonly HashSet<DeviceId> _reported = [];

    public async Task Execute(ClaimedRun run)
    {
        var prepared = await Prepare(run);
        if (!await journal.Start(run, CancellationToken.None))
        {
            return;
        }

        if (prepared is not var (block, devices))
        {
            await Finish(run, cancelled: false);
            return;
        }

        var started = clock.GetTimestamp();
        var (failures, cancelled, number) = (0, false, 0);
        foreach (var batch in devices.Chunk(run.Rollout?.BatchSize ?? devices.Count))
        {
            var left = run.Timeout - clock.GetElapsedTime(started);
            if (cancelled || left <= TimeSpan.Zero || failures > (run.Rollout?.MaxFailures ?? int.MaxValue))
            {
                break;
            }

            var job = new SandboxJob($"{run.Id}-{run.Attempt}-{++number}", block.Directory, run.Mode == RunMode.Check, run.Input, [.. batch.Select(Describe)], left, IdleLimit);
            if (await ExecuteBatch(run, job, batch) is not var (failed, stopped))
            {
                return;
            }

            (failures, cancelled) = (failures + failed, stopped);
        }

        if (!await dialler.ConfirmNoStreams(run.Tenant, run.Id, run.Fence, StreamsGone, CancellationToken.None))
        {
            Log.StreamsUnconfirmed(log, run.Id);
        }

        await Finish(run, cancelled);
    }

    /// <summary>Null where the fence has moved on: nothing more may be written.</summary>
    private async Task<(int Failures, bool Cancelled)?> ExecuteBatch(ClaimedRun run, SandboxJob job, DeviceLogin[] devices)
    {
        dialler.Permit(run.Tenant, run.Id, run.Fence);
        var byAlias = devices.ToDictionary(device => Alias(device.DeviceId), StringComparer.Ordinal);
        var sandbox = launcher.Start(job, (alias, cancel) => DeviceStream.Open(dialler, run, byAlias[alias], cancel));
        foreach (var device in devices)
        {
            device.Dispose();
        }

        using var watch = new RunWatch(run, sandbox, dialler, scopes, clock, CancelGrace);
        var watching = watch.Watch();
        var written = await Write(run, sandbox);
        var result = await sandbox.Completion;
        await watch.Over();
        await watching;
        if (!written || watch.Lost)
        {
            Log.Lost(log, run.Id, run.Fence);
            return null;
        }

        if (result.Fault is { } fault)
        {
            Log.Fault(log, run.Id, fault);
        }

        foreach (var device in result.Devices)
        {
            await Report(run, device);
        }

        return (result.Devices.Count(device => device.Outcome is not (SandboxOutcome.Ok or SandboxOutcome.Changed)), watch.Cancelled);
    }

    private static string Alias(DeviceId device) => device.ToString();

    private static SandboxDevice Describe(DeviceLogin device) => new(
        Alias(device.DeviceId), device.Platform, device.Port, device.Username, device.Password?.Reveal(), device.PrivateKey?.Reveal(), device.Enable?.Reveal(), device.HostKeySha256, device.HostKey);

    /// <summary>Null where the run can no longer start: its block was withdrawn, or a device was deleted or lost its pinned key.</summary>
    private async Task<(BlockVersion Block, IReadOnlyList<DeviceLogin> Devices)?> Prepare(ClaimedRun run)
    {
        await using var transaction = await db.Begin(run.Tenant, CancellationToken.None);
        var devices = await access.Open(db, [.. run.Devices.Select(device => device.Id)], CancellationToken.None);
        if ((await catalog.Find(db, run.Block, run.Version)).Refused(out var problem, out var block) || devices.Count < run.Devices.Count
            || devices.Any(device => device.HostKeySha256 is null))
        {
            Log.Fault(log, run.Id, problem?.Type.Title ?? "A device was deleted, or its host key is no longer pinned.");
            return null;
        }

        await audit.Append(
            run.Tenant, "worker", "worker", null, "credentials.opened", run.Id.ToString(), new { run.Attempt, run.Fence, devices = devices.Count }, CancellationToken.None);
        await transaction.CommitAsync();
        var byId = devices.ToDictionary(device => device.DeviceId);
        return (block, [.. run.Devices.Select(device => byId[device.Id])]);
    }

    /// <summary>Writes events as they come. False: the fence has moved on, and nothing more may be written.</summary>
    private async Task<bool> Write(ClaimedRun run, SandboxRun sandbox)
    {
        try
        {
            await foreach (var happened in sandbox.Events)
            {
                if (!await WriteOne(run, happened))
                {
                    await Stop(sandbox);
                    return false;
                }
            }
        }
        catch (Exception fault)
        {
            // What cannot be recorded must not go on; outcomes are written when it has ended.
            Log.WriteFailed(log, fault, run.Id);
            await Stop(sandbox);
        }

        return true;
    }

    private async Task<bool> WriteOne(ClaimedRun run, SandboxEvent happened)
    {
        if (happened.Outcome is { } outcome)
        {
            return await Report(run, outcome);
        }

        var device = happened.Device is null ? (DeviceId?)null : DeviceId.Parse(happened.Device);
        return (happened.Type != "device_started" || await journal.Phase(run, device!.Value, DevicePhase.Running, CancellationToken.None))
            && await journal.Append(run, [new RunEvent(happened.Time, happened.Type, device, JsonElement.Parse(happened.Data))], CancellationToken.None);
    }

    private static async Task Stop(SandboxRun sandbox)
    {
        var stopping = sandbox.Stop(TimeSpan.Zero);
        await foreach (var _ in sandbox.Events)
        {
            // The run waits for its reader.
        }

        await stopping;
    }

    private async Task<bool> Report(ClaimedRun run, SandboxDeviceResult result)
    {
        var device = DeviceId.Parse(result.Name);
        return !_reported.Add(device) || await journal.Report(
            run,
            new DeviceReport(
                device, Enum.Parse<DeviceOutcome>(result.Outcome.ToString()), result.Changed, result.Contacted, result.Code, result.Message, result.Result?.GetRawText(),
                result.Diff.Length > 0 ? result.Diff : null, null, null,
                [.. result.Artifacts.Select(file => new ArtifactFile(file.Name, "text/plain; charset=utf-8", file.Content))]),
            CancellationToken.None);
    }

    /// <summary>The outcomes are known; only writing them can fail, and then only for as long as the database is away.</summary>
    private async Task Finish(ClaimedRun run, bool cancelled)
    {
        var wait = TimeSpan.FromMilliseconds(200);
        while (true)
        {
            try
            {
                await journal.Finish(run, cancelled, CancellationToken.None);
                return;
            }
            catch (Npgsql.NpgsqlException fault) when (fault.IsTransient)
            {
                Log.Retrying(log, fault, run.Id);
                await Task.Delay(wait, clock);
                wait = TimeSpan.FromSeconds(Math.Min(10, wait.TotalSeconds * 2));
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(803, LogLevel.Warning, "Run {Run} was lost: fence {Fence} is no longer the highest")]
        public static partial void Lost(ILogger logger, RunId run, long fence);

        [LoggerMessage(804, LogLevel.Warning, "Run {Run}: {Fault}")]
        public static partial void Fault(ILogger logger, RunId run, string fault);

        [LoggerMessage(805, LogLevel.Warning, "Run {Run}: the connectors did not confirm that no stream is open")]
        public static partial void StreamsUnconfirmed(ILogger logger, RunId run);

        [LoggerMessage(807, LogLevel.Error, "Run {Run}: its events cannot be written, stopping it")]
        public static partial void WriteFailed(ILogger logger, Exception exception, RunId run);

        [LoggerMessage(806, LogLevel.Warning, "Run {Run}: ending it failed, trying again")]
        public static partial void Retrying(ILogger logger, Exception exception, RunId run);
    }
}
