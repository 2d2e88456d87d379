using System.Globalization;
using System.Net;
using System.Text.Json;

namespace NetAutomation.Faults;

/// <summary>
/// A process that attacks, for so many seconds, the service or, where no address is given, a server of its own that discards. It is a
/// process of its own so that it can be less urgent than the callers whose answers are timed.
/// </summary>
internal static class Generator
{
    /// <summary>
    /// --attacks A,B --seconds N --address IP:PORT or "" --ca FILE --endpoint ID --key FILE --device ID; prints what it sent.
    /// </summary>
    public static async Task Run(IReadOnlyDictionary<string, string> options)
    {
        using var discard = new Discard();
        var real = options["address"].Length > 0;
        using var target = new Target(
            real ? IPEndPoint.Parse(options["address"]) : discard.Address,
            real ? await File.ReadAllTextAsync(options["ca"]) : discard.CaPem,
            options["endpoint"], (await File.ReadAllTextAsync(options["key"])).Trim(), options["device"]);
        var time = TimeSpan.FromSeconds(int.Parse(options["seconds"], CultureInfo.InvariantCulture));
        using var over = new CancellationTokenSource(time);
        // Its parent's end, however it came, is the attack's.
        _ = Task.Run(async () =>
        {
            await Console.In.ReadToEndAsync();
            await over.CancelAsync();
        });
        await Task.WhenAll(options["attacks"].Split(',').Select(name => Attack.Named(name).FromNetwork!(target, over.Token)));
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(target.Counts));
    }
}
