namespace NetAutomation.Bench;

/// <summary>
/// Round-trip time of 64 bytes to a device: alone, beside four streams at full throughput, and beside 32 streams that are full and stalled
/// by their readers.
/// </summary>
internal static class TunnelRoundTrip
{
    private const int Trips = 2000;
    private const int Busy = 4;
    private const int Stalled = 32;

    // Product over ssh -R.
    private const double RatioLimit = 0.5;

    // With stalled streams over without them.
    private const double StalledLimit = 1.25;

    public static async Task<Result> Run(Stack stack)
    {
        using var fixture = await TunnelFixture.Start(stack);
        var p99 = new List<(string Side, double Value)>();
        var sides = new (string, Func<Task<double>>)[]
        {
            ("product", () => Task.FromResult(Trip("product", fixture.Product, Trips))),
            ("ssh", () => Task.FromResult(Trip("ssh", fixture.Ssh, Trips))),
            ("relay", () => Task.FromResult(Trip("relay", fixture.Relay, Trips))),
            ("direct", () => Task.FromResult(Trip("direct", fixture.Direct, Trips))),
            ("busy", () => Task.FromResult(Beside("busy", fixture.Product))),
            ("ssh busy", () => Task.FromResult(Beside("ssh busy", fixture.Ssh))),
            ("stalled", async () =>
            {
                using var stalled = await fixture.Product.Stalled(Stalled);
                return Trip("stalled", fixture.Product, Trips);
            }),
        };
        Stack.Log("warming up");
        for (var i = 0; i < 3; i++)
        {
            foreach (var (_, measure) in sides)
            {
                await measure();
            }
        }

        p99.Clear();
        var rounds = await Rounds.Measure("tunnel-rtt", stack.Parts.Rounds, sides);
        p99.ForEach(each => rounds.Add(each.Side, each.Value));
        var (ratio, beside) = (rounds.Ratio("product", "ssh"), rounds.Ratio("stalled", "product"));
        return new Result(
            "tunnel-rtt",
            ratio <= RatioLimit && beside <= StalledLimit,
            [
                new("p50", Math.Round(rounds.Median("product"))),
                new("sshP50", Math.Round(rounds.Median("ssh"))),
                new("relayP50", Math.Round(rounds.Median("relay"))),
                new("directP50", Math.Round(rounds.Median("direct"))),
                new("ratio", Math.Round(ratio, 2)),
                new("ratioLimit", RatioLimit),
                new("spread", rounds.Spread("product", "ssh")),
                new("p99", Math.Round(rounds.Median("product p99"))),
                new("sshP99", Math.Round(rounds.Median("ssh p99"))),
                new("busyP50", Math.Round(rounds.Median("busy"))),
                new("sshBusyP50", Math.Round(rounds.Median("ssh busy"))),
                new("busyP99", Math.Round(rounds.Median("busy p99"))),
                new("sshBusyP99", Math.Round(rounds.Median("ssh busy p99"))),
                new("busyRatio", Math.Round(rounds.Ratio("busy", "ssh busy"), 2)),
                new("stalledP50", Math.Round(rounds.Median("stalled"))),
                new("stalledP99", Math.Round(rounds.Median("stalled p99"))),
                new("stalledRatio", Math.Round(beside, 2)),
                new("stalledRatioLimit", StalledLimit),
                new("noise", rounds.Noise),
            ]);

        double Trip(string side, DevicePath path, int count)
        {
            var times = path.RoundTrips(count);
            p99.Add(($"{side} p99", times[count * 99 / 100]));
            return times[count / 2];
        }

        double Beside(string side, DevicePath path)
        {
            using var busy = path.Busy(Busy);
            return Trip(side, path, Trips / 10);
        }
    }
}
