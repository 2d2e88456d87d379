using System.Diagnostics;

namespace NetAutomation.Bench;

/// <summary>Memory of idle streams and of idle connectors: its growth, measured once.</summary>
internal static class TunnelIdle
{
    private const int Streams = 1000;
    private const int Connectors = 1000;

    // One link carries 256.
    private const int Links = 5;
    private const double Megabyte = 1e6;

    public static async Task<Result> Run(Stack stack)
    {
        using var fixture = await TunnelFixture.Start(stack, Links);
        foreach (var path in new[] { fixture.Product, fixture.Ssh })
        {
            path.Greeting(100);
            path.Bulk(Devices.Send, 1, 1 << 20);
        }

        Stack.Log($"opening {Streams} streams");
        var alone = ProcessFigures.Memory(fixture.Connector.Id);
        var (stream, sshStream) = (await Hold(fixture.Product), await Hold(fixture.Ssh));
        Stack.Log($"attaching {Connectors} connectors");
        var (before, begun) = (ProcessFigures.Memory(fixture.Service.Id), Stopwatch.GetTimestamp());
        await Attach(stack, fixture);
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        var cpu = ProcessFigures.CpuSeconds([fixture.Service.Id]);
        await Task.Delay(TimeSpan.FromSeconds(10));
        return new Result(
            "tunnel-idle",
            Held: true,
            [
                new("serviceMBPer1000Streams", Math.Round(stream.Service, 1)),
                new("connectorMBPer1000Streams", Math.Round(stream.Connector, 1)),
                new("sshMBPer1000Streams", Math.Round(sshStream.All, 1)),
                new("ratio", Math.Round(stream.All / sshStream.All, 2)),
                new("serviceMBPer1000Connectors", Math.Round((ProcessFigures.Memory(fixture.Service.Id) - before) / Megabyte, 1)),
                new("serviceCpuPercent", Math.Round((ProcessFigures.CpuSeconds([fixture.Service.Id]) - cpu) * 10, 1)),
                new("joinedAndAttachedPerSecond", Math.Round(Connectors / seconds)),
                new("connectorMB", Math.Round(alone / Megabyte, 1)),
            ]);

        async Task<(double All, double Service, double Connector)> Hold(DevicePath path)
        {
            var (all, service, connector) = Now(path);
            var sockets = Enumerable.Range(0, Streams).Select(path.Open).ToList();
            await Task.Delay(TimeSpan.FromSeconds(3));
            var with = Now(path);
            sockets.ForEach(socket => socket.Dispose());
            return (with.All - all, with.Service - service, with.Connector - connector);
        }

        (double All, double Service, double Connector) Now(DevicePath path) =>
            (path.Memory() / Megabyte, ProcessFigures.Memory(fixture.Service.Id) / Megabyte,
                ProcessFigures.Memory(fixture.Connector.Id) / Megabyte);
    }

    private static async Task Attach(Stack stack, TunnelFixture fixture)
    {
        var tokens = new List<string>();
        for (var i = 0; i < Connectors; i++)
        {
            tokens.Add(await fixture.Enrol(stack));
        }

        var (file, folder) =
            (stack.File("connector-tokens", string.Join('\n', tokens)), Directory.CreateDirectory(stack.File("connectors")).FullName);
        await stack.Launch(
            stack.Inside, ["connectors", $"{fixture.ConnectorPort}", Stack.ServerName, stack.File("api/ca.pem"), folder, file], "ready");
        while (await stack.Value<long>("select count(*) from connectors.connector_session where state = 'attached'") < Connectors + Links)
        {
            await Task.Delay(200);
        }
    }
}
