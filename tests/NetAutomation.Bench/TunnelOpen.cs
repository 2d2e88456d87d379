namespace NetAutomation.Bench;

/// <summary>
/// Time from opening a stream to the first byte: of a device that speaks first, and of one that answers data sent at once. With its
/// defaults, <c>ssh -R</c> lets the second wait for a delayed acknowledgement of TCP.
/// </summary>
internal static class TunnelOpen
{
    private const int Opens = 40;

    // Product over ssh -R, for the device that answers.
    private const double RatioLimit = 0.05;

    public static async Task<Result> Run(Stack stack)
    {
        using var fixture = await TunnelFixture.Start(stack);
        Stack.Log("warming up");
        foreach (var path in new[] { fixture.Product, fixture.Product, fixture.Product, fixture.Relay, fixture.Ssh })
        {
            path.Greeting(Opens);
            path.Answer(Opens);
        }

        var rounds = await Rounds.Measure(
            "tunnel-open",
            stack.Parts.Rounds,
            ("answer", () => Task.FromResult(fixture.Product.Answer(Opens))),
            ("ssh answer", () => Task.FromResult(fixture.Ssh.Answer(Opens))),
            ("relay answer", () => Task.FromResult(fixture.Relay.Answer(Opens))),
            ("greeting", () => Task.FromResult(fixture.Product.Greeting(Opens))),
            ("ssh greeting", () => Task.FromResult(fixture.Ssh.Greeting(Opens))),
            ("relay greeting", () => Task.FromResult(fixture.Relay.Greeting(Opens))));
        var ratio = rounds.Ratio("answer", "ssh answer");
        return new Result(
            "tunnel-open",
            ratio <= RatioLimit,
            [
                new("answerMilliseconds", Math.Round(rounds.Median("answer"), 2)),
                new("sshAnswer", Math.Round(rounds.Median("ssh answer"), 2)),
                new("relayAnswer", Math.Round(rounds.Median("relay answer"), 2)),
                new("answerRatio", Math.Round(ratio, 3)),
                new("answerRatioLimit", RatioLimit),
                new("answerSpread", rounds.Spread("answer", "ssh answer")),
                new("greetingMilliseconds", Math.Round(rounds.Median("greeting"), 2)),
                new("sshGreeting", Math.Round(rounds.Median("ssh greeting"), 2)),
                new("relayGreeting", Math.Round(rounds.Median("relay greeting"), 2)),
                new("greetingRatio", Math.Round(rounds.Ratio("greeting", "ssh greeting"), 2)),
                new("noise", rounds.Noise),
            ]);
    }
}
