using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using NetAutomation.Connector;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// A connector whose customer opened every range is told to dial addresses in every spelling. Whatever it connects to is seen by a listener
/// in a network where every address answers.
/// </summary>
public sealed class AddressCorpusTests
{
    private const int Port = 2022;
    private const string Everything = "0.0.0.0/0 2022\n::/0 2022\n";

    // Judged by the bytes that arrived at, in the words of the registries, without the connector's own lists.
    private static readonly string[] _forbidden =
    [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.0/24", "224.0.0.0/4",
        "240.0.0.0/4",
    ];

    private static readonly string[] _forbidden6 =
    [
        "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fe80::/10", "fec0::/10",
        "ff00::/8", "fd00:ec2::/32", "fd20:ce::/32",
    ];

    [Fact]
    public void A_hostile_spelling_reaches_no_address_that_no_range_opens()
    {
        Assert.SkipUnless(OwnNetwork.IsPossible, "needs root for a network of its own");
        var corpus = new Corpus("addresses");
        var count = Corpus.Of(300, 300);
        OwnNetwork.Within(() =>
        {
            using var four = Listen(IPAddress.Any);
            using var six = Listen(IPAddress.IPv6Any);
            for (var input = 0; input < count; input++)
            {
                var dice = Corpus.Dice(input);
                var host = new AddressSpellings(dice).Next();
                try
                {
                    // A name server may answer with any address, also with another one the next time.
                    var answered = dice.Next(8) == 0 ? new AddressSpellings(dice).Next() : null;
                    var lie = IPAddress.TryParse(answered, out var given) ? given : null;
                    foreach (var place in Dial(lie is null ? host : "router.example", Everything, lie, four, six))
                    {
                        corpus.Count("connected");
                        if (IsForbidden(place))
                        {
                            corpus.Found(Harm.Connection, $"'{host}' {lie} reached {place}");
                        }
                    }
                }
                catch (Exception fault)
                {
                    corpus.Found(Harm.Crash, $"'{host}': {fault}");
                }
            }

            foreach (var planted in new[] { "127.0.0.1", "169.254.169.254", "::1" })
            {
                var exact = $"{planted}/{(planted.Contains(':', StringComparison.Ordinal) ? 128 : 32)} {Port}";
                corpus.Planted(Dial(planted, exact, null, four, six).Exists(IsForbidden), $"{planted} by an entry of its own");
            }

            return 0;
        });
        corpus.Counted("connected").ShouldBeGreaterThan(count / 30);
        corpus.Judge(count);
    }

    private static TcpListener Listen(IPAddress address)
    {
        var listener = new TcpListener(address, Port);
        listener.Start();
        return listener;
    }

    /// <summary>The addresses at which a connection arrived, by what the kernel says of it.</summary>
    [SuppressMessage("Usage", "VSTHRD002", Justification = "The thread is in the network, and another one would not be.")]
    private static List<IPAddress> Dial(string host, string allowed, IPAddress? answer, params TcpListener[] listeners)
    {
        var clock = TimeProvider.System;
        var devices = new DeviceSockets(
            AllowList.Parse(allowed), new DeviceLimits(10_000, 10_000, 10_000, clock),
            // Answered on this thread, so that the connector's socket is of this network, too.
            (name, _) => Task.FromResult(answer is null ? Dns.GetHostAddresses(name) : [answer]), DeviceSockets.OwnAddresses, clock);
        var arrived = new List<IPAddress>();
        var (socket, place, _) = devices.Connect(host, Port, TimeSpan.FromSeconds(5), CancellationToken.None).GetAwaiter().GetResult();
        foreach (var listener in listeners)
        {
            while (listener.Pending())
            {
                using var connection = listener.AcceptSocket();
                arrived.Add(((IPEndPoint)connection.LocalEndPoint!).Address);
            }
        }

        socket?.Dispose();
        place?.Dispose();
        return arrived;
    }

    private static bool IsForbidden(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return Array.Exists(_forbidden, network => IPNetwork.Parse(network).Contains(address));
        }

        var bytes = address.GetAddressBytes();
        return Array.Exists(_forbidden6, network => IPNetwork.Parse(network).Contains(address))
            || (bytes[8] is 0 or 2 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe);
    }
}
