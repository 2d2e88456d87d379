using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Text;
using NetAutomation.Edge.Proxy;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Corpora;

/// <summary>Hostile PROXY v2 headers give nobody an identity that a header from the load balancer did not give.</summary>
public sealed class ProxyCorpusTests(PostgresServer postgres)
{
    private const string One = "vpce-0123456789abcdef0", Two = "vpce-0fedcba9876543210";

    [Fact]
    public async Task A_hostile_header_gives_no_identity_but_its_own()
    {
        var corpus = new Corpus("proxy");
        var (all, live) = (Corpus.Of(200_000, 40_000), Corpus.Of(4_000, 250));
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api"]);
        var own = await host.CreateTenant(endpointId: One);
        await host.CreateTenant(endpointId: Two);
        corpus.Planted(await Ask(host, own, ProxyV2.Header(One), null) == 200, "a right header from the trusted peer");
        Parse(corpus, 0, all / 10);
        await Connect(corpus, host, own, 0, live / 10);
        var before = Corpus.MemoryNow();
        for (var part = 1; part < 10; part++)
        {
            Parse(corpus, all / 10 * part, all / 10);
            corpus.Progress(all / 10 * (part + 1), all);
        }

        corpus.Counted("named").ShouldBeGreaterThan(all / 50);
        // A parser that looks for the name wherever it stands.
        var blind = Enumerable.Range(0, 1000).Select(input => new ProxyHeaders(Corpus.Dice(input), One, Two).Next());
        corpus.Planted(blind.Any(bytes => Careless(bytes) != ProxyOracle.Endpoint(bytes)), "a parser that searches for the name");
        await Connect(corpus, host, own, live / 10, live - (live / 10));
        corpus.Counted("answered").ShouldBePositive();
        if (await Ask(host, own, ProxyV2.Header(One), null) != 200)
        {
            corpus.Found(Harm.Crash, "the listener answers no more");
        }

        corpus.JudgeMemory(before);
        corpus.Judge(all + live);
    }

    private static void Parse(Corpus corpus, int first, int count)
    {
        for (var input = first; input < first + count; input++)
        {
            var dice = Corpus.Dice(input);
            var bytes = new ProxyHeaders(dice, One, Two).Next();
            var wanted = ProxyOracle.Endpoint(bytes);
            try
            {
                var (header, fault) = ProxyHeader.Read(new ReadOnlySequence<byte>(bytes));
                var split = ProxyHeader.Read(Segments.Of(bytes, dice.Next(bytes.Length + 1)));
                if (header?.EndpointId != wanted || split != (header, fault))
                {
                    corpus.Found(
                        Harm.Identity, $"{header?.EndpointId} or {split.Header?.EndpointId}, not {wanted}: {Convert.ToHexString(bytes)}");
                }

                corpus.Count(
                    header?.EndpointId is not null ? "named" : header is not null ? "nameless" : fault is null ? "cut" : "refused");
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                corpus.Found(Harm.Crash, $"{fault.GetType().Name}: {Convert.ToHexString(bytes)}");
            }
        }
    }

    /// <summary>The same inputs at the real listener, with a key of the first tenant behind them.</summary>
    private static Task Connect(Corpus corpus, ServiceHost host, TestTenant own, int first, int count) => Parallel.ForEachAsync(
        Enumerable.Range(first, count), new ParallelOptions { MaxDegreeOfParallelism = 8 },
        async (input, _) =>
        {
            var dice = Corpus.Dice(input);
            // A stranger's header is right in every byte, and comes from an address that is not the load balancer's.
            var stranger = input % 5 == 0;
            var bytes = stranger ? ProxyV2.Header(One) : new ProxyHeaders(dice, One, Two).Next();
            var status = await Ask(host, own, bytes, stranger ? IPAddress.Parse("127.0.0.2") : null);
            // What is left behind the header is no TLS, unless the header ends where the input does.
            var named = !stranger && ProxyOracle.Endpoint(bytes) == One;
            if (status == 200 && !named)
            {
                corpus.Found(Harm.Identity, $"answered{(stranger ? " a stranger" : "")}: {Convert.ToHexString(bytes)}");
            }
            else if (status >= 500)
            {
                corpus.Found(Harm.ServerError, $"{status}: {Convert.ToHexString(bytes)}");
            }

            corpus.Count(status switch { 200 => "answered", > 0 => "unauthorised", _ => "closed" });
        });

    /// <summary>The status of a call behind these bytes, 0 where there was none.</summary>
    private static async Task<int> Ask(ServiceHost host, TestTenant own, byte[] first, IPAddress? from)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            var stream = await ProxyV2.Connect(host.Address(Listener.Customer), first, deadline.Token, from);
            await using var tls = new SslStream(stream, leaveInnerStreamOpen: false);
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = host.Certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(host.Certificate),
                }, deadline.Token);
            await tls.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"GET /v1/me HTTP/1.1\r\nHost: {host.Certificate.ServerName}\r\nAuthorization: Bearer {own.Key}\r\n"
                        + "Connection: close\r\n\r\n"), deadline.Token);
            using var reader = new StreamReader(tls);
            return await reader.ReadLineAsync(deadline.Token) is { Length: > 11 } line
                ? int.Parse(line[9..12], System.Globalization.CultureInfo.InvariantCulture) : 0;
        }
        catch (Exception away) when (away is IOException or System.Net.Sockets.SocketException
            or System.Security.Authentication.AuthenticationException or OperationCanceledException)
        {
            return 0;
        }
    }

    private static string? Careless(byte[] bytes)
    {
        var text = Encoding.Latin1.GetString(bytes);
        var at = text.IndexOf("vpce-", StringComparison.Ordinal);
        return at < 0 || at + One.Length > text.Length ? null : text.Substring(at, One.Length);
    }
}

/// <summary>Bytes in two segments, as a network brings them.</summary>
internal sealed class Segments : ReadOnlySequenceSegment<byte>
{
    private Segments(ReadOnlyMemory<byte> memory, Segments? before)
    {
        Memory = memory;
        RunningIndex = before is null ? 0 : before.RunningIndex + before.Memory.Length;
        if (before is not null)
        {
            before.Next = this;
        }
    }

    public static ReadOnlySequence<byte> Of(byte[] bytes, int at)
    {
        var first = new Segments(bytes.AsMemory(0, at), null);
        var second = new Segments(bytes.AsMemory(at), first);
        return new ReadOnlySequence<byte>(first, 0, second, second.Memory.Length);
    }
}
