using System.Diagnostics;
using System.Net;
using System.Text;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Edge;

/// <summary>How long a connection lives on which nobody proves who calls, and one that is slow.</summary>
public sealed class UnprovenConnectionTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly string _clusterKey = Path.GetTempFileName();
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(_clusterKey, new string('k', 32));
        _service = await ServiceHost.Start(
            await postgres.Create(),
            ["Edge:ProofSeconds=4", $"Peer:ClusterKeyFile={_clusterKey}", "Peer:Url=https://127.0.0.1:0",
                "Edge:Listeners:Peer=127.0.0.1:0"]);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        File.Delete(_clusterKey);
    }

    [Fact]
    public async Task Connection_on_which_nobody_is_proven_ends_whatever_it_does_and_a_proven_one_stays()
    {
        var tenant = await _service.CreateTenant();
        var header = ProxyV2.Header(tenant.EndpointId);
        // The first call of a process takes long.
        (await tenant.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        using var proven = await Proven(tenant, header);
        OpenConnection[] unproven =
        [
            .. Enum.GetValues<Standstill>().SelectMany(stop => new[]
            {
                Open(Listener.Customer, header, stop), Open(Listener.Connector, header, stop), Open(Listener.Operator, [], stop),
                Open(Listener.Peer, [], stop),
            }),
            Open(Listener.Customer, ProxyV2.Local, Standstill.Tls), Open(Listener.Registration, [], Standstill.Raw),
        ];
        // Busy ones: answers to unknown keys keep a connection no longer than silence, and neither do headers that never end.
        using var guessing = Open(Listener.Customer, header, Standstill.Tls);
        using var dripping = Open(Listener.Customer, header, Standstill.Tls);
        await Task.WhenAll(
            Repeat(guessing, "GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nak_unknown\r\n\r\n"),
            Repeat(dripping, "X"),
            Task.WhenAll(unproven.Select(each => each.Ended)).WaitAsync(Eventually.Limit));
        proven.Ended.IsCompleted.ShouldBeFalse();
        await proven.Send("GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray());
        await proven.Ended.WaitAsync(Eventually.Limit);
        Array.ForEach(unproven, each => each.Dispose());
    }

    [Fact]
    public async Task Body_that_comes_too_slowly_ends_its_connection_although_the_caller_is_proven()
    {
        var tenant = await _service.CreateTenant();
        using var slow = Open(Listener.Customer, ProxyV2.Header(tenant.EndpointId), Standstill.Tls);
        await Repeat(
            slow, "x",
            $"POST /v1/sites HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.Key}\r\nContent-Type: application/json\r\n"
                + "Content-Length: 1000000\r\n\r\n");
    }

    [Fact]
    public async Task Buyers_connection_ends_with_its_answer()
    {
        using var browser = _service.Browser();
        using var answer = await browser.GetAsync("/marketplace/registration");
        answer.Headers.ConnectionClose.ShouldBe(true);
    }

    private async Task<OpenConnection> Proven(TestTenant tenant, byte[] header)
    {
        var proven = Open(Listener.Customer, header, Standstill.Tls);
        await proven.Ready;
        await proven.Send(Encoding.ASCII.GetBytes($"GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.Key}\r\n\r\n"));
        return proven;
    }

    private OpenConnection Open(Listener listener, byte[] first, Standstill stop) =>
        OpenConnection.To(_service.Address(listener), first, stop, _service.Certificate);

    /// <summary>Sends again and again until the service ends the connection.</summary>
    private static async Task Repeat(OpenConnection connection, string text, string first = "")
    {
        await connection.Ready;
        var begun = Stopwatch.GetTimestamp();
        try
        {
            await connection.Send(Encoding.ASCII.GetBytes(first));
            while (!connection.Ended.IsCompleted && Stopwatch.GetElapsedTime(begun) < Eventually.Limit)
            {
                await connection.Send(Encoding.ASCII.GetBytes(text));
                await Task.WhenAny(connection.Ended, Task.Delay(100));
            }
        }
        catch (IOException)
        {
            // Ended while sending.
        }

        await connection.Ended.WaitAsync(Eventually.Limit);
    }
}
