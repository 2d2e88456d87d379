using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

public sealed class CustomerListenerTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceHost.Start(await postgres.Create());

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_bound_endpoint_and_its_tenants_key_get_past_the_edge(bool http2)
    {
        var tenant = await _service.CreateTenant();
        using var client = _service.Customer(tenant.EndpointId, tenant.Key, http2);
        // Only an authenticated caller learns that this path does not exist.
        (await client.GetAsync("/v1/nothing-here")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Every_other_combination_of_endpoint_and_key_is_401_with_the_same_words()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var answers = new List<string>();
        foreach (var (endpoint, key) in new[]
        {
            (other.EndpointId, mine.Key), (mine.EndpointId, other.Key), (mine.EndpointId, "nak_unknown"), (mine.EndpointId, null),
            (mine.EndpointId, ""),
            ("vpce-0ffffffffffffffff", mine.Key), ("vpce-0ffffffffffffffff", null),
        })
        {
            using var client = _service.Customer(endpoint, key);
            var answer = await client.GetAsync("/v1/me");
            answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
            answer.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
            var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!.AsObject();
            body.Remove("traceId").ShouldBeTrue();
            answers.Add(body.ToJsonString());
        }

        answers.Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public async Task Documents_need_a_bound_endpoint_and_no_key()
    {
        var tenant = await _service.CreateTenant();
        foreach (var path in new[] { "/openapi/v1.json", "/problems/unauthorized" })
        {
            using var bound = _service.Customer(tenant.EndpointId, null);
            (await bound.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.OK, path);
            using var stranger = _service.Customer("vpce-0eeeeeeeeeeeeeeee", null);
            (await stranger.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, path);
        }
    }

    [Fact]
    public async Task A_local_header_reaches_health_only()
    {
        using var local = _service.ClientOf(Listener.Customer, ProxyV2.Local, (await _service.CreateTenant()).Key);
        (await local.GetAsync("/healthz/live")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await local.GetAsync("/healthz/ready")).StatusCode.ShouldBe(HttpStatusCode.OK);
        foreach (
            var path in new[] {
                "/v1/me", "/openapi/v1.json", "/problems/unauthorized", "/swagger/index.html", "/", "/healthzz", "/v1/../healthz2" })
        {
            (await local.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, path);
        }
    }

    [Fact]
    public async Task A_header_cut_at_any_byte_is_read_whole()
    {
        // A bound endpoint: the listener closes a connection of an unbound one within two seconds.
        var header = ProxyV2.Header((await _service.CreateTenant()).EndpointId);
        for (var at = 1; at < header.Length; at++)
        {
            await using var stream = await ProxyV2.Connect(_service.Address(Listener.Customer), header[..at], CancellationToken.None);
            await stream.FlushAsync();
            await stream.WriteAsync(header.AsMemory(at));
            await using var tls = await Handshake(stream);
            tls.IsAuthenticated.ShouldBeTrue($"cut at {at}");
        }
    }

    [Fact]
    public async Task Header_and_client_hello_in_one_segment_are_separated()
    {
        await using var plain = await ProxyV2.Connect(_service.Address(Listener.Customer), [], CancellationToken.None);
        await using var joined = new PrefixedStream(plain, ProxyV2.Header((await _service.CreateTenant()).EndpointId));
        await using var tls = await Handshake(joined);
        await tls.WriteAsync("GET /healthz/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(tls);
        (await reader.ReadToEndAsync()).ShouldStartWith("HTTP/1.1 200");
    }

    public static TheoryData<string, byte[]> Refused => new()
    {
        { "TLS without a header", [0x16, 0x03, 0x01, 0x02, 0x00] },
        { "plain HTTP", "GET / HTTP/1.1\r\n\r\n"u8.ToArray() },
        { "version 1", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"u8.ToArray() },
        { "no endpoint", ProxyV2.Header() },
        { "unspecified family", [.. ProxyV2.Signature, 0x21, 0, 0, 0] },
        { "wrong checksum", ProxyV2.Header(ProxyV2.Type(3, [0, 0, 0, 0])) },
        { "a second header", [.. ProxyV2.Header("vpce-0123456789abcdef0"), .. ProxyV2.Header("vpce-0123456789abcdef1")] },
        { "too long", [.. ProxyV2.Signature, 0x21, 0x11, 0xff, 0xff] },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_connection_without_a_header_is_closed_at_once(string what, byte[] bytes)
    {
        (await ClosesOn(bytes)).ShouldBeTrue(what);
    }

    [Fact]
    public async Task A_perfect_header_from_another_address_is_closed()
    {
        var tenant = await _service.CreateTenant();
        (await ClosesOn(ProxyV2.Header(tenant.EndpointId), IPAddress.Parse("127.0.0.2"))).ShouldBeTrue();
    }

    [Fact]
    public async Task A_header_that_does_not_come_is_closed_by_the_deadline()
    {
        await using var silent = await ProxyV2.Connect(_service.Address(Listener.Customer), [], CancellationToken.None);
        await using var partial = await ProxyV2.Connect(_service.Address(Listener.Customer), ProxyV2.Signature, CancellationToken.None);
        (await Closes(silent, _patience)).ShouldBeTrue();
        (await Closes(partial, _patience)).ShouldBeTrue();
    }

    [Fact]
    public async Task An_open_connection_ends_with_its_binding()
    {
        var tenant = await _service.CreateTenant();
        await using var stream =
            await ProxyV2.Connect(_service.Address(Listener.Customer), ProxyV2.Header(tenant.EndpointId), CancellationToken.None);
        await using var tls = await Handshake(stream);
        await tls.WriteAsync("GET /healthz/live HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        (await tls.ReadAsync(new byte[4096])).ShouldBeGreaterThan(0);
        await using var scope = _service.Services.CreateAsyncScope();
        await EndpointConnections.Unbind(
            scope.ServiceProvider.GetRequiredService<SystemDb>(), tenant.Connection, "test", CancellationToken.None);
        (await Closes(tls, _patience)).ShouldBeTrue();
    }

    [Fact]
    public async Task The_other_listeners_answer_health_and_refuse_the_rest()
    {
        using var browser = _service.Browser();
        (await browser.GetAsync("/healthz/live")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await browser.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await browser.GetAsync("/openapi/v1.json")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var staff = _service.Operator();
        (await staff.GetAsync("/healthz/ready")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await staff.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var nobody = _service.Operator("wrong");
        (await nobody.GetAsync("/operator/v1/tenants")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    private async Task<SslStream> Handshake(Stream stream)
    {
        var tls = new SslStream(stream, leaveInnerStreamOpen: false);
        using var patience = new CancellationTokenSource(_patience);
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = _service.Certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(_service.Certificate)
            },
            patience.Token);
        return tls;
    }

    private async Task<bool> ClosesOn(byte[] bytes, IPAddress? from = null)
    {
        try
        {
            await using var stream = await ProxyV2.Connect(_service.Address(Listener.Customer), bytes, CancellationToken.None, from);
            // At once, and not by the deadline for a header, which is five seconds.
            return await Closes(stream, TimeSpan.FromSeconds(4));
        }
        catch (Exception reset) when (reset is IOException or SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            // The server closed the connection before the bytes were sent.
            return true;
        }
    }

    private static async Task<bool> Closes(Stream stream, TimeSpan within)
    {
        using var patience = new CancellationTokenSource(within);
        try
        {
            while (await stream.ReadAsync(new byte[4096], patience.Token) > 0)
            {
                // Data that was in flight before the end.
            }

            return true;
        }
        catch (IOException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Sends some bytes in the same write as the first ones of another.</summary>
    private sealed class PrefixedStream(Stream inner, byte[] first) : Stream
    {
        private byte[]? _first = first;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var bytes = _first is null ? buffer : (byte[])[.. _first, .. buffer.Span];
            _first = null;
            return inner.WriteAsync(bytes, cancellationToken);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
