using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using NetAutomation.AwsSimulator;
using NetAutomation.AwsSimulator.Wire;

const string Help = """
    Simulates the AWS services around a PrivateLink SaaS product.

    usage: NetAutomation.AwsSimulator --config FILE [--urls URL] [--control-urls URL]

      --config FILE         accounts, endpoint services, load balancer, queues, product (JSON; see simulator.sample.json)
      --urls URL            AWS endpoint for --endpoint-url, default http://127.0.0.1:4566
      --control-urls URL    control API, default http://127.0.0.1:4567
      --help                this text
    """;

if (args.Contains("--help"))
{
    Console.WriteLine(Help);
    return 0;
}

var given = new Dictionary<string, string>(StringComparer.Ordinal);
for (var i = 0; i < args.Length; i += 2)
{
    if (args[i] is not ("--config" or "--urls" or "--control-urls") || i + 1 == args.Length)
    {
        return Fail($"'{args[i]}' is not an option, or its value is missing.\n\n{Help}");
    }
    given[args[i]] = args[i + 1];
}
if (!given.TryGetValue("--config", out var file))
{
    return Fail($"--config is required.\n\n{Help}");
}

try
{
    var options = SimulatorOptions.Load(file);
    options = options with
    {
        Urls = given.GetValueOrDefault("--urls", options.Urls),
        ControlUrls = given.GetValueOrDefault("--control-urls", options.ControlUrls),
    };
    var stop = new TaskCompletionSource();
    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
    await using var simulator = await Simulator.StartAsync(options, TimeProvider.System);
    Console.WriteLine($"ready aws={simulator.AwsUrl} control={simulator.ControlUrl}");
    await stop.Task;
    return 0;

    void OnSignal(PosixSignalContext signal)
    {
        signal.Cancel = true;
        stop.TrySetResult();
    }
}
catch (JsonException error)
{
    return Fail($"{file}: {error.Message}");
}
catch (Exception error) when (
    error is IOException or UnauthorizedAccessException or ArgumentException or FormatException or SocketException or AwsException)
{
    return Fail(error.Message);
}

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 2;
}
