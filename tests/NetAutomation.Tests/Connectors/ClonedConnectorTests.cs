using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Connector;
using NetAutomation.Connectors.Links;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;
using Npgsql;

namespace NetAutomation.Tests.Connectors;

/// <summary>The service detects two processes with copies of one state directory, and does not mistake a restart for them.</summary>
public sealed class ClonedConnectorTests(PostgresServer postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Copy_that_is_alive_beside_the_original_locks_the_connector(bool copiedBeforeItsFirstStart)
    {
        await using var pair = await ConnectorPair.Start(postgres);
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("one");
        var (_, folder) = await pair.Join(token);
        var early = copiedBeforeItsFirstStart ? Copy(pair, folder) : null;
        await using var original = new RunningConnector(id, folder, device.Allowed, TimeProvider.System, 2);
        await Eventually.Holds(() => pair.Hub.All.Count == 2);
        await using var copy = new RunningConnector(id, early ?? Copy(pair, folder), device.Allowed, TimeProvider.System, 1);
        await Locked(pair);
        await Eventually.Holds(() => pair.Hub.All.Count == 0);
        (await pair.Code(pair.Dial(device))).ShouldBe(DialCodes.ConnectorAbsent);
        (await pair.Sql<long>(
            """
            select count(*) from web.audit_event
            where action = 'connector.cloned' and data->>'address' is not null and data->>'otherAddress' is not null
            """)).ShouldBe(1);

        // The lock is permanent: neither copy may attach again, and nobody can unlock the connector.
        await using var again = new RunningConnector(id, Copy(pair, folder), device.Allowed, TimeProvider.System, 1);
        await Should.ThrowAsync<PostgresException>(
            () => pair.Sql<string>("update connectors.connector set state = 'active' returning state"));
        await pair.Sql<string>("update connectors.connector set state = 'revoked' returning state");
        var (fresh, freshToken) = await pair.Enrol("one");
        await using var joined = new RunningConnector(fresh, (await pair.Join(freshToken)).State, device.Allowed, TimeProvider.System, 1);
        await Eventually.Holds(() => pair.Hub.All.Any(l => l.Connector == fresh));
        pair.Hub.All.ShouldAllBe(l => l.Connector == fresh);
    }

    [Fact]
    public async Task Copy_at_another_replica_is_found_within_a_heartbeat()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var other = await pair.StartReplica(new KeyValuePair<string, string?>("Connectors:Listener", "127.0.0.1:0"));
        using var device = new TestDevice();
        var original = await pair.Attach(device.Allowed);
        var folder = Copy(pair, original.Folder);
        (ConnectorState.Load(folder) with { Port = other.Services.GetRequiredService<ConnectorHost>().Address.Port }).Save(folder);
        await using var copy = new RunningConnector(original.Id, folder, device.Allowed, TimeProvider.System, 1);
        var there = other.Services.GetRequiredService<LinkHub>();
        await Eventually.Holds(() => there.All.Count == 1);
        await pair.Service<SessionHeartbeat>().Beat(default);
        await Locked(pair);
        await other.Services.GetRequiredService<SessionHeartbeat>().Beat(default);
        await Eventually.Holds(() => there.All.Count == 0 && pair.Hub.All.Count == 0);
    }

    [Fact]
    public async Task Restart_is_no_copy_though_the_link_of_the_killed_process_looks_alive()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        // The relay keeps the service's side of a connection open after the connector has died.
        using var relay = new TcpRelay { Target = pair.Port };
        using var device = new TestDevice();
        var (id, token) = await pair.Enrol("process");
        var (_, state) = await pair.Join(token, port: relay.Port);
        var list = Path.Combine(pair.Folder.FullName, "allow");
        await File.WriteAllTextAsync(list, device.Allowed);
        ConnectorSessionId? before = null;
        for (var start = 1; start <= 4; start++)
        {
            using var process = ConnectorProcess.Start(null, "run", "--state", state, "--allow-list", list);
            await Eventually.Holds(
                () => pair.Hub.All.Count == 1 && pair.Hub.All.Single() is var link && link.Id != before && link.Generation == start);
            before = pair.Hub.All.Single().Id;
            await using (await pair.Open(pair.Dial(device)))
            {
                process.Kill();
                await process.WaitForExitAsync();
                pair.Hub.All.Single().IsClosed.ShouldBeFalse();
            }
        }

        (await pair.Sql<string>("select state from connectors.connector")).ShouldBe("active");
        (await pair.Sql<long>("select count(*) from web.audit_event where action = 'connector.cloned'")).ShouldBe(0);
        pair.Hub.All.ShouldAllBe(l => l.Connector == id);
    }

    [Fact]
    public async Task Attach_that_was_under_way_when_a_newer_start_attached_proves_nothing()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        var (_, folder) = await pair.Join(token);
        var state = ConnectorState.Load(folder);
        using var key = ConnectorState.LoadKey(folder);
        using var old = new ServiceClient(state);
        using var young = new ServiceClient(state);
        var late = await Sign(old, state, key, "old", 1);
        using (var attached = await Attach(young, state, await Sign(young, state, key, "young", 2)))
        {
            attached.StatusCode.ShouldBe(HttpStatusCode.OK);
            using var refused = await Attach(old, state, late);
            (refused.StatusCode, refused.Headers.GetValues(TunnelProtocol.ReasonHeader).Single())
                .ShouldBe((HttpStatusCode.Conflict, RefusalReasons.Superseded));
            (await pair.Sql<string>("select state from connectors.connector")).ShouldBe("active");
            // Another link of the registered instance.
            using var second = new ServiceClient(state);
            using var sister = await Attach(second, state, await Sign(second, state, key, "young", 2));
            sister.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        using var alive = await Attach(old, state, await Sign(old, state, key, "old", 1));
        (alive.StatusCode, alive.Headers.GetValues(TunnelProtocol.ReasonHeader).Single())
            .ShouldBe((HttpStatusCode.Forbidden, RefusalReasons.Cloned));
    }

    private static Task Locked(ConnectorPair pair) =>
        Eventually.Holds(async () => await pair.Sql<string>("select state from connectors.connector") == "cloned");

    private static string Copy(ConnectorPair pair, string folder)
    {
        var copy = Directory.CreateDirectory(Path.Combine(pair.Folder.FullName, Guid.NewGuid().ToString("n"))).FullName;
        foreach (var file in Directory.GetFiles(folder).Where(f => Path.GetFileName(f) != "lock"))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    private static async Task<string> Sign(ServiceClient service, ConnectorState state, ECDsa key, string instance, long generation)
    {
        using var answer = await service.Send(new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath), default);
        var nonce = JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(), TunnelJson.Default.Challenge)!.Nonce;
        return Proof.Sign(
            key, new AttachStatement(
                ConnectorPair.ServerName, state.Connector, "link", nonce, DateTimeOffset.UtcNow, 0, "1.0.0", instance, generation));
    }

    private static Task<HttpResponseMessage> Attach(ServiceClient service, ConnectorState state, string proof) => service.Send(
        new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.AttachPath)
        {
            Headers = { { TunnelProtocol.ConnectorHeader, state.Connector }, { TunnelProtocol.ProofHeader, proof } },
        },
        default);
}
