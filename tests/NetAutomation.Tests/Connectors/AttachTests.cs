using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Connector;
using NetAutomation.Connectors.Links;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

public sealed class AttachTests(PostgresServer postgres)
{
    [Fact]
    public async Task Join_token_binds_one_key_and_no_second()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (id, token) = await pair.Enrol("one");
        var (exit, state) = await pair.Join(token);
        exit.ShouldBe(0);
        ConnectorState.Load(state).Connector.ShouldBe($"{id}");
        File.GetUnixFileMode(Path.Combine(state, "key.pem")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await pair.Join(token)).Exit.ShouldBe(401);
        (await pair.Sql<long>("select count(*) from web.audit_event where action = 'connector.joined'")).ShouldBe(1);
    }

    [Fact]
    public async Task Join_whose_answer_was_lost_can_be_repeated_by_the_same_host()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, state) = await pair.Join(token);
        File.Delete(Path.Combine(state, "connector.json"));
        (await pair.Join(token, state)).Exit.ShouldBe(0);
    }

    [Fact]
    public async Task Expired_unknown_and_foreign_tokens_are_refused_alike()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, expired) = await pair.Enrol("old", TimeSpan.FromSeconds(-1));
        (await pair.Join(expired)).Exit.ShouldBe(401);
        (await pair.Join("njt_guess")).Exit.ShouldBe(401);
        var (_, foreign) = await pair.Enrol("mine");
        pair.EndpointTenant = TenantId.New();
        (await pair.Join(foreign)).Exit.ShouldBe(401);
        pair.EndpointTenant = null;
        (await pair.Join(foreign)).Exit.ShouldBe(403);
    }

    [Fact]
    public async Task Replayed_proof_is_refused_on_its_own_connection_and_on_another()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, folder) = await pair.Join(token);
        var state = ConnectorState.Load(folder);
        using var key = ConnectorState.LoadKey(folder);
        using var service = new ServiceClient(state);
        var proof = await Sign(service, state, s => s, key);
        using (var first = await Attach(service, state, proof))
        {
            first.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        (await Status(service, state, proof)).ShouldBe(HttpStatusCode.Unauthorized);
        using var other = new ServiceClient(state);
        await Challenge(other);
        (await Status(other, state, proof)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Proof_for_another_service_connector_time_or_key_is_refused()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, folder) = await pair.Join(token);
        var state = ConnectorState.Load(folder);
        using var key = ConnectorState.LoadKey(folder);
        using var wrong = Proof.CreateKey();
        using var service = new ServiceClient(state);
        (await Status(service, state, await Sign(service, state, s => s with { Audience = "other.test" }, key)))
            .ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(service, state, await Sign(service, state, s => s with { Connector = $"{ConnectorId.New()}" }, key)))
            .ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(service, state, await Sign(service, state, s => s with { IssuedAt = s.IssuedAt.AddMinutes(-6) }, key)))
            .ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(service, state, await Sign(service, state, s => s, wrong))).ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(service, state, "")).ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(service, state, await Sign(service, state, s => s, key))).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Connector_reports_its_highest_fence_and_is_seen()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed);
        await using (await pair.Open(pair.Dial(device, RunId.New(), 41, exclusive: true)))
        {
            await connector.DisposeAsync();
        }

        await using var again = new RunningConnector(connector.Id, connector.Folder, device.Allowed, TimeProvider.System, 1);
        await Eventually.Holds(() => pair.Gate.Seen == 41);
        await Eventually.Holds(() => pair.Hub.All.Count == 1);
        await pair.Service<SessionHeartbeat>().Beat(default);
        (await pair.Sql<long>("select highest_fence from connectors.connector")).ShouldBe(41);
        (await pair.Sql<long>("select count(*) from connectors.connector_session where state = 'attached'")).ShouldBe(1);
        (await pair.Sql<long>("select count(*) from connectors.connector_session where state = 'closed'")).ShouldBe(1);
    }

    [Fact]
    public async Task Heartbeat_ends_the_links_of_a_revoked_connector_and_of_a_lost_endpoint()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (revoked, kept) = (await pair.Attach(device.Allowed), await pair.Attach(device.Allowed));
        await pair.Sql<Guid>($"update connectors.connector set state = 'revoked' where id = '{revoked.Id.Value}' returning id");
        var beat = pair.Service<SessionHeartbeat>();
        await beat.Beat(default);
        await Eventually.Holds(() => pair.Hub.All.All(l => l.Connector == kept.Id && !l.IsClosed));
        pair.EndpointTenant = null;
        await beat.Beat(default);
        await Eventually.Holds(() => pair.Hub.All.Count == 0);
    }

    [Fact]
    public async Task Connector_attaches_again_after_the_service_restarted()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed, links: 2);
        await pair.StopService();
        await pair.StartService();
        await Eventually.Holds(() => pair.Hub.All.Count == 2);
        await using var stream = await pair.Open(pair.Dial(device));
    }

    [Fact]
    public async Task Draining_service_takes_no_dial_and_lets_open_streams_end()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        await using var stream = await pair.Open(pair.Dial(device));
        using var socket = await device.Accept();
        var drained = pair.Hub.Drain(TimeSpan.FromSeconds(20), default);
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.ConnectorAbsent);
        await stream.WriteAsync("still"u8.ToArray());
        (await socket.ReceiveAsync(new byte[5])).ShouldBe(5);
        drained.IsCompleted.ShouldBeFalse();
        await stream.CompleteWrites();
        socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        (await stream.ReadAsync(new byte[1])).ShouldBe(0);
        await drained;
    }

    [Fact]
    public async Task Run_without_a_further_permit_loses_its_streams()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var connector = await pair.Attach(device.Allowed, clock);
        var (lapsing, permitted) = (RunId.New(), RunId.New());
        await using var first = await pair.Open(pair.Dial(device, lapsing, 1));
        await using var second = await pair.Open(pair.Dial(device, permitted, 1));
        await using var probe = await pair.Open(pair.Dial(device));
        clock.Advance(TimeSpan.FromSeconds(20));
        connector.Tunnels.Permit(new Permit($"{permitted}", 1, 25_000));
        clock.Advance(TimeSpan.FromSeconds(4));
        connector.Tunnels.Count.ShouldBe(3);
        clock.Advance(TimeSpan.FromSeconds(2));
        await Should.ThrowAsync<IOException>(async () => await first.ReadExactlyAsync(new byte[1]));
        await Eventually.Holds(() => connector.Tunnels.Count == 2);
    }

    [Fact]
    public async Task Permit_of_the_service_arrives_at_the_connector()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        await pair.Attach(device.Allowed);
        var run = RunId.New();
        await using var stream = await pair.Open(pair.Dial(device, run, 1));
        // A permit with a higher fence means that a later attempt has begun, so the connector cuts the older stream.
        pair.Dialler.Permit(pair.Tenant, run, 2);
        await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task Revoked_connector_keeps_its_history_and_not_its_site()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        await pair.Enrol("one");
        await Should.ThrowAsync<Npgsql.PostgresException>(() => pair.Sql<Guid>("delete from inventory.site returning id"));
        await pair.Sql<Guid>("update connectors.connector set state = 'revoked' returning id");
        await pair.Sql<Guid>("delete from inventory.site returning id");
        (await pair.Sql<Guid>("select site_id from connectors.connector")).ShouldBe(pair.Site.Value);
    }

    private static async Task<string> Challenge(ServiceClient service)
    {
        using var answer = await service.Send(new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath), default);
        return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(), TunnelJson.Default.Challenge)!.Nonce;
    }

    private static async Task<string> Sign(
        ServiceClient service, ConnectorState state, Func<AttachStatement, AttachStatement> change,
        System.Security.Cryptography.ECDsa key) =>
        Proof.Sign(
            key, change(
                new AttachStatement(
                    ConnectorPair.ServerName, state.Connector, "link", await Challenge(service), DateTimeOffset.UtcNow, 0, "1.0.0",
                    "instance", 1)));

    private static Task<HttpResponseMessage> Attach(ServiceClient service, ConnectorState state, string proof) => service.Send(
        new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.AttachPath)
        {
            Headers = { { TunnelProtocol.ConnectorHeader, state.Connector }, { TunnelProtocol.ProofHeader, proof } },
        },
        default);

    private static async Task<HttpStatusCode> Status(ServiceClient service, ConnectorState state, string proof)
    {
        using var response = await Attach(service, state, proof);
        return response.StatusCode;
    }
}
