using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NetAutomation.Tests.Support;

namespace NetAutomation.Bench;

/// <summary>
/// Cost of the PROXY protocol v2 header: the customer listener, beside a listener of the same process, with the same certificate and API,
/// that expects no header. Connections (TLS and one request each) and requests on an open connection alternate between the two.
/// </summary>
internal static class ProxyHeader
{
    private const int Connections = 150;
    private const int Requests = 1500;
    private const double RatioLimit = 1.05;
    private static readonly byte[] _request = Encoding.ASCII.GetBytes($"GET /healthz/live HTTP/1.1\r\nHost: {Stack.ServerName}\r\n\r\n");

    // The endpoint of the customer created below: the listener closes connections through an endpoint without a binding.
    private static readonly byte[] _header = ProxyV2.Header("vpce-00123456789abcde0");

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("starting service and database");
        await stack.CreateDatabase();
        var port = Ports.Free();
        await stack.StartWithBenchSettings(new { Tenant = Guid.CreateVersion7(), Ports = Array.Empty<int[]>(), CustomerPort = port });
        (await Customer.Make(stack)).Client.Dispose();
        var (with, without) = (stack.Customer, new IPEndPoint(IPAddress.Loopback, port));
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(await File.ReadAllTextAsync(stack.File("api/ca.pem")));
        var medians = new List<(string Name, double Value)>();
        var sides =
            new (string, Func<Task<double>>)[] {
                ("connection", () => Task.FromResult(Compare("connection", Connections, Connection))),
                ("request", () => Task.FromResult(Compared())) };
        Stack.Log("warming up");
        for (var i = 0; i < 3; i++)
        {
            foreach (var (_, measure) in sides)
            {
                await measure();
            }
        }

        medians.Clear();
        var rounds = await Rounds.Measure("proxy-v2", stack.Parts.Rounds, sides);
        medians.ForEach(each => rounds.Add(each.Name, each.Value));
        var (connection, request) = (rounds.Median("connection"), rounds.Median("request"));
        return new Result(
            "proxy-v2",
            connection <= RatioLimit && request <= RatioLimit,
            [
                new("connectionMicroseconds", Math.Round(rounds.Median("connection with"))),
                new("connectionWithout", Math.Round(rounds.Median("connection without"))),
                new("connectionRatio", Math.Round(connection, 3)),
                new("connectionSpread", rounds.Spread("connection")),
                new("requestMicroseconds", Math.Round(rounds.Median("request with"))),
                new("requestWithout", Math.Round(rounds.Median("request without"))),
                new("requestRatio", Math.Round(request, 3)),
                new("requestSpread", rounds.Spread("request")),
                new("ratioLimit", RatioLimit),
                new("noise", rounds.Noise),
            ]);

        // Median with the header over median without it; the measurements alternate.
        double Compare(string what, int count, Func<bool, double> measure)
        {
            var (proven, plain) = (new List<double>(), new List<double>());
            for (var i = 0; i < count; i++)
            {
                proven.Add(measure(true));
                plain.Add(measure(false));
                plain.Add(measure(false));
                proven.Add(measure(true));
            }

            proven.Sort();
            plain.Sort();
            medians.AddRange([($"{what} with", proven[count]), ($"{what} without", plain[count])]);
            return proven[count] / plain[count];
        }

        double Connection(bool header)
        {
            var begun = Stopwatch.GetTimestamp();
            using var stream = Connect(header);
            Ask(stream);
            return Stopwatch.GetElapsedTime(begun).TotalMicroseconds;
        }

        double Compared()
        {
            using var proven = Connect(header: true);
            using var plain = Connect(header: false);
            return Compare("request", Requests, header =>
            {
                var begun = Stopwatch.GetTimestamp();
                Ask(header ? proven : plain);
                return Stopwatch.GetElapsedTime(begun).TotalMicroseconds;
            });
        }

        SslStream Connect(bool header)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(header ? with : without);
            if (header)
            {
                socket.Send(_header);
            }

            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            stream.AuthenticateAsClient(
                new SslClientAuthenticationOptions { TargetHost = Stack.ServerName, CertificateChainPolicy = trust.Clone() });
            return stream;
        }
    }

    private static void Ask(SslStream stream)
    {
        stream.Write(_request);
        Span<byte> answer = stackalloc byte[2048];
        for (var length = 0; ;)
        {
            var read = stream.Read(answer[length..]);
            length += read;
            // Kestrel writes the whole answer at once, and it ends with this word.
            if (read == 0 || answer[..length].EndsWith("live"u8))
            {
                return;
            }
        }
    }
}
