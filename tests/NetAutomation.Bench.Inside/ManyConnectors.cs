using System.Globalization;
using NetAutomation.Connector;

namespace NetAutomation.Bench.Inside;

/// <summary>Many connectors in one process, composed of the connector's own parts as its run command does.</summary>
internal static class ManyConnectors
{
    public static async Task Run(string port, string server, string ca, string folder, string tokens)
    {
        var serving = new List<Task>();
        var log = new ConnectorLog(TextWriter.Null, TimeProvider.System);
        foreach (var token in await File.ReadAllLinesAsync(tokens))
        {
            var state = Path.Combine(folder, serving.Count.ToString(CultureInfo.InvariantCulture));
            string[] join =
                ["join", "--endpoint", $"nowhere.invalid:{port}", "--address", "127.0.0.1", "--server-name", server, "--ca", ca,
                    "--token-file", "-", "--state", state];
            await JoinCommand.Run(
                new CommandLine(join, "--endpoint", "--address", "--server-name", "--ca", "--token-file", "--state"),
                new StringReader(token), log, default);
            serving.Add(Serve(state, log));
        }

        await Console.Out.WriteLineAsync("ready");
        await Task.WhenAll(serving);
    }

    private static async Task Serve(string folder, ConnectorLog log)
    {
        var clock = TimeProvider.System;
        var state = ConnectorState.Load(folder);
        using var key = ConnectorState.LoadKey(folder);
        var instance = Instance.Start(folder);
        using var fences = new FenceFile(Path.Combine(folder, "fences"));
        using var tunnels = new TunnelTable(fences, clock);
        var devices = new DeviceSockets(AllowList.Parse(""), new DeviceLimits(1, 1, 1, clock), clock);
        await new Links(() => new Link(state, key, instance, fences, tunnels, devices, log, clock), log, clock).Run(1, default);
    }
}
