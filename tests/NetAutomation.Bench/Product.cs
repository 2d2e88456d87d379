using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.Execution;
using NetAutomation.History;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Runs.Dispatch;

namespace NetAutomation.Bench;

/// <summary>
/// The worker's use of the database, by the service's own code in this process: it claims runs, records their events and ends them. Devices
/// and Ansible are left out.
/// </summary>
internal sealed class Product : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-bench-");

    public Product(Stack stack)
    {
        _app = Service.Build([.. stack.Settings("worker", 0), "--Serilog:MinimumLevel:Default=Error"]);
        Journals = _app.Services.GetRequiredService<Journals>();
    }

    public Journals Journals { get; }

    /// <summary>Notifies other processes of the rows written here, as a worker does.</summary>
    public Task Notify() => _app.Services.GetServices<IHostedService>().OfType<RunBells>().Single().StartAsync(CancellationToken.None);

    public Task<ClaimedRun?> Claim() => Journals.Claim("bench");

    /// <summary>Claims with this number of workers until the queue is empty.</summary>
    public async Task<IReadOnlyList<ClaimedRun>> ClaimAll(int workers)
    {
        var claimed = await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            var runs = new List<ClaimedRun>();
            while (await Claim() is { } run)
            {
                runs.Add(run);
            }

            return runs;
        })));
        return [.. claimed.SelectMany(runs => runs)];
    }

    public Task Start(ClaimedRun run) => Done(journal => journal.Start(run, CancellationToken.None));

    /// <summary>Reports every device as configured.</summary>
    public Task Work(ClaimedRun run) => Done(journal => journal.Write(
        run, 0,
        [
            .. run.Devices.Select(device => new RunEvent(DateTimeOffset.UtcNow, "device_started", device.Id, "{}")),
            .. run.Devices.Select(device => RunEvent.Of(DateTimeOffset.UtcNow, new DeviceReport(
                device.Id, DeviceOutcome.Changed, true, true, null, null, "{}", "+ ip route 10.9.0.0/16 10.66.0.1", null, null, []))),
        ],
        CancellationToken.None));

    public Task Finish(ClaimedRun run) => Done<RunEndings>(endings => endings.Finish(run, null, CancellationToken.None));

    public RunRecorder Record(ClaimedRun run)
    {
        var recorder = new RunRecorder(
            run, Path.Combine(_folder.FullName, $"{run.Id}"), Journals, run.Devices.ToDictionary(device => device.Id, _ => "bench"),
            _app.Services.GetRequiredService<RunMetrics>(),
            TimeProvider.System, () => throw new InvalidOperationException("The events cannot be written."), NullLogger.Instance);
        recorder.Start();
        return recorder;
    }

    /// <summary>Keeps a text of every device, as their runs do: ten devices in a transaction, two transactions at a time.</summary>
    public async Task KeepDay(Customer customer, DateTimeOffset time, IEnumerable<byte[]> texts)
    {
        var (tenant, run) = (new TenantId(customer.Tenant), RunId.New());
        var seen = customer.Devices.Zip(texts, (device, text) => new SeenTexts(time, DeviceId.Parse(device), new("frr", text, null)));
        await Parallel.ForEachAsync(seen.Chunk(10), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (some, cancel) =>
        {
            await using var scope = _app.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
            await using var transaction = await db.Begin(tenant, cancel);
            await scope.ServiceProvider.GetRequiredService<ConfigHistory>().Keep(tenant, run, writes: false, some, cancel);
            await transaction.CommitAsync(cancel);
        });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var bells in _app.Services.GetServices<IHostedService>().OfType<RunBells>())
        {
            await bells.StopAsync(CancellationToken.None);
        }

        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private Task Done(Func<RunJournal, Task<bool>> write) => Done<RunJournal>(write);

    private async Task Done<TService>(Func<TService, Task<bool>> write)
        where TService : notnull
    {
        if (!await Journals.RetryUntilAvailable(write))
        {
            throw new InvalidOperationException("The run is not this worker's any more.");
        }
    }
}
