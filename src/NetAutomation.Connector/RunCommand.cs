using System.Runtime.InteropServices;

namespace NetAutomation.Connector;

/// <summary>Attaches and serves; SIGTERM and SIGINT refuse new streams, wait for the open ones, then leave.</summary>
internal static class RunCommand
{
    private static readonly TimeSpan _leaving = TimeSpan.FromSeconds(5);

    public static async Task<int> Run(CommandLine options, ConnectorLog log, CancellationToken cancel)
    {
        var directory = options["--state"];
        var allowList = AllowList.Load(options["--allow-list"]);
        var links = options.Number("--links", 1, 8, 1);
        var drainFor = TimeSpan.FromSeconds(options.Number("--drain-seconds", 0, 86_400, 60));
        var clock = TimeProvider.System;
        var limits = new DeviceLimits(
            options.Number("--device-sessions", 1, 256, DeviceLimits.DefaultSessions),
            options.Number("--device-rate", 1, 1000, DeviceLimits.DefaultDeviceRate),
            options.Number("--rate", 1, 10_000, DeviceLimits.DefaultRate),
            clock);
        using var only = StateFiles.Lock(directory);
        var state = ConnectorState.Load(directory);
        using var key = ConnectorState.LoadKey(directory);
        var instance = Instance.Start(directory);
        using var fences = new FenceFile(Path.Combine(directory, "fences"));
        using var tunnels = new TunnelTable(fences, clock);
        var devices = new DeviceSockets(allowList, limits, clock);
        using var stop = new CancellationTokenSource();
        using var drain = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        void OnSignal(PosixSignalContext signal)
        {
            signal.Cancel = true;
            drain.Cancel();
        }

        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        log.Info($"connector={state.Connector} version={ConnectorVersion.Text} allow-list entries={allowList.Count}");
        var serving = new Links(() => new Link(state, key, instance, fences, tunnels, devices, log, clock), log, clock)
            .Run(links, stop.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, drain.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        log.Info($"draining streams={tunnels.Count}");
        await Task.WhenAny(tunnels.Drain(), Task.Delay(drainFor, CancellationToken.None));
        await stop.CancelAsync();
        // The links are cut; streams that still hang end with the process.
        await Task.WhenAny(serving, Task.Delay(_leaving, CancellationToken.None));
        return 0;
    }
}
