namespace NetAutomation.Bench;

/// <summary>How much a tunnel carries: from a device to the service and the other way, over one stream and over 32 at once, beside <c>ssh -R</c> and a relay in clear.</summary>
internal static class TunnelBulk
{
    private const long Bytes = 128 * 1024 * 1024;

    // MB/s over those of ssh -R.
    private const double RatioLimit = 0.8;

    public static async Task<Result> Run(Stack stack)
    {
        using var ground = await TunnelGround.Start(stack);
        Way[] ways = [ground.Product, ground.Ssh, ground.Relay];
        (string Name, int Order, int Streams)[] shapes = [("up1", Devices.Send, 1), ("down1", Devices.Receive, 1), ("up32", Devices.Send, 32), ("down32", Devices.Receive, 32)];
        var cpu = new List<(string Side, double Seconds)>();
        var sides = shapes.SelectMany(shape => ways.Select(way => ($"{way.Name} {shape.Name}", (Func<Task<double>>)(() =>
        {
            var before = way.Cpu();
            var speed = way.Bulk(shape.Order, shape.Streams, Bytes);
            cpu.Add(($"{way.Name} {shape.Name} cpu", (way.Cpu() - before) / Bytes * 1e9));
            return Task.FromResult(speed);
        })))).ToArray();

        // What is compiled while it runs has been.
        Stack.Say("warming up");
        foreach (var (_, measure) in sides)
        {
            await measure();
        }

        cpu.Clear();
        var rounds = await Rounds.Measure("tunnel-bulk", stack.Parts.Rounds, sides);
        cpu.ForEach(each => rounds.Add(each.Side, each.Seconds));
        var worst = shapes.Min(shape => rounds.Ratio($"product {shape.Name}", $"ssh {shape.Name}"));
        return new Result(
            "tunnel-bulk",
            worst >= RatioLimit,
            [
                .. shapes.SelectMany(shape => Figures(rounds, shape.Name)),
                new("worstRatio", Math.Round(worst, 2)),
                new("ratioLimit", RatioLimit),
                new("noise", rounds.Noise),
            ]);
    }

    private static IEnumerable<KeyValuePair<string, object>> Figures(Rounds rounds, string shape)
    {
        var (product, ssh, relay) = ($"product {shape}", $"ssh {shape}", $"relay {shape}");
        return
        [
            new($"{shape}MBs", Math.Round(rounds.Median(product))),
            new($"{shape}SshMBs", Math.Round(rounds.Median(ssh))),
            new($"{shape}RelayMBs", Math.Round(rounds.Median(relay))),
            new($"{shape}Ratio", Math.Round(rounds.Ratio(product, ssh), 2)),
            new($"{shape}Spread", rounds.Spread(product, ssh)),
            new($"{shape}CpuPerGB", Math.Round(rounds.Median($"{product} cpu"), 2)),
            new($"{shape}SshCpuPerGB", Math.Round(rounds.Median($"{ssh} cpu"), 2)),
        ];
    }
}
