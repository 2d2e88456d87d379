namespace NetAutomation.Bench;

/// <summary>
/// Throughput of a tunnel: from a device to the service and back, over one stream and over 32 at once, beside <c>ssh -R</c> and a relay
/// without encryption.
/// </summary>
internal static class TunnelBulk
{
    private const long Bytes = 256 * 1024 * 1024;

    // MB/s of the product over MB/s of ssh -R with its defaults. The fastest cipher of ssh is compared too, without a limit.
    private const double RatioLimit = 0.8;

    public static async Task<Result> Run(Stack stack)
    {
        using var fixture = await TunnelFixture.Start(stack);
        DevicePath[] paths = [fixture.Product, fixture.Ssh, fixture.SshDefaults, fixture.Relay];
        (string Name, int Order, int Streams)[] shapes =
            [("up1", Devices.Send, 1), ("down1", Devices.Receive, 1), ("up32", Devices.Send, 32), ("down32", Devices.Receive, 32)];
        var cpu = new List<(string Side, double Seconds)>();
        var sides = shapes.SelectMany(shape => paths.Select(path => ($"{path.Name} {shape.Name}", (Func<Task<double>>)(() =>
        {
            var before = path.Cpu();
            var speed = path.Bulk(shape.Order, shape.Streams, Bytes);
            cpu.Add(($"{path.Name} {shape.Name} cpu", (path.Cpu() - before) / Bytes * 1e9));
            return Task.FromResult(speed);
        })))).ToArray();

        // Warm-up: the JIT compiles the hot path before the measurement.
        Stack.Log("warming up");
        for (var i = 0; i < 3; i++)
        {
            foreach (var (_, measure) in sides)
            {
                await measure();
            }
        }

        cpu.Clear();
        var rounds = await Rounds.Measure("tunnel-bulk", stack.Parts.Rounds, sides);
        cpu.ForEach(each => rounds.Add(each.Side, each.Seconds));
        double Worst(string path) => Math.Round(shapes.Min(shape => rounds.Ratio($"product {shape.Name}", $"{path} {shape.Name}")), 2);
        var worst = Worst("ssh defaults");
        return new Result(
            "tunnel-bulk",
            worst >= RatioLimit,
            [
                .. shapes.SelectMany(shape => Figures(rounds, shape.Name)),
                new("worstRatio", worst),
                new("worstRatioToFastCipher", Worst("ssh")),
                new("ratioLimit", RatioLimit),
                new("noise", rounds.Noise),
            ]);
    }

    private static IEnumerable<KeyValuePair<string, object>> Figures(Rounds rounds, string shape)
    {
        var (product, fast, defaults) = ($"product {shape}", $"ssh {shape}", $"ssh defaults {shape}");
        return
        [
            new($"{shape}MBs", Math.Round(rounds.Median(product))),
            new($"{shape}SshMBs", Math.Round(rounds.Median(defaults))),
            new($"{shape}SshFastMBs", Math.Round(rounds.Median(fast))),
            new($"{shape}RelayMBs", Math.Round(rounds.Median($"relay {shape}"))),
            new($"{shape}Ratio", Math.Round(rounds.Ratio(product, defaults), 2)),
            new($"{shape}Spread", rounds.Spread(product, defaults)),
            new($"{shape}RatioToFast", Math.Round(rounds.Ratio(product, fast), 2)),
            new($"{shape}CpuPerGB", Math.Round(rounds.Median($"{product} cpu"), 2)),
            new($"{shape}SshCpuPerGB", Math.Round(rounds.Median($"{defaults} cpu"), 2)),
            new($"{shape}SshFastCpuPerGB", Math.Round(rounds.Median($"{fast} cpu"), 2)),
        ];
    }
}
