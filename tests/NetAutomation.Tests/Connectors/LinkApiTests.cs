using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NetAutomation.Connector;
using NetAutomation.Connectors.Links;
using NetAutomation.Tests.Support;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Connectors;

/// <summary>What the connector listener does for callers that have proved nothing.</summary>
public sealed class LinkApiTests(PostgresServer postgres)
{
    [Theory]
    [InlineData(TunnelProtocol.CheckPath)]
    [InlineData(TunnelProtocol.AttachPath)]
    public async Task Proof_without_a_challenge_is_refused_without_a_look_at_the_database(string path)
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var (_, token) = await pair.Enrol("one");
        using var service = new ServiceClient(ConnectorState.Load((await pair.Join(token)).State));
        await using (await pair.LockConnectors())
        {
            var guesses = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Guess(service, path)));
            guesses.ShouldAllBe(status => status == HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task Guesses_that_wait_hold_a_few_connections_of_the_database_and_others_are_told_to_come_again()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var replica = await Start(pair, "Rates:DatabaseConnections=2", "Rates:ConnectionWaitSeconds=1");
        var (_, token) = await pair.Enrol("one");
        var state = ConnectorState.Load((await pair.Join(token, port: Port(replica))).State);
        var guessers = Enumerable.Range(0, 5).Select(_ => new ServiceClient(state)).ToList();
        Task<HttpStatusCode>[] guesses;
        long waiting;
        await using (await pair.LockConnectors())
        {
            await Task.WhenAll(guessers.Select(Challenge));
            guesses = [.. guessers.Select(each => Guess(each, TunnelProtocol.CheckPath))];
            await Eventually.Holds(() => guesses.Count(each => each.IsCompleted) >= 3, within: TimeSpan.FromSeconds(60));
            waiting = await pair.Sql<long>(
                """
                select count(*) from pg_stat_activity
                where datname = current_database() and usename = 'na_app' and wait_event_type = 'Lock'
                """);
        }

        waiting.ShouldBeInRange(1, 2);
        var answers = await Task.WhenAll(guesses);
        answers.Count(status => status == HttpStatusCode.Unauthorized).ShouldBe((int)waiting);
        answers.Count(status => status == HttpStatusCode.ServiceUnavailable).ShouldBe(answers.Length - (int)waiting);
        guessers.ForEach(each => each.Dispose());
    }

    [Fact]
    public async Task Calls_through_an_endpoint_have_a_rate_and_those_of_an_attached_link_have_none()
    {
        await using var pair = await ConnectorPair.Start(postgres);
        var replica = await Start(pair, "Rates:Endpoint:PerSecond=1", "Rates:Endpoint:Burst=30");
        using var device = new TestDevice();
        var connector = await pair.Attach(device.Allowed, replica: replica);
        using var service = new ServiceClient(connector.State);
        var guesses = new List<HttpStatusCode>();
        while (guesses.Count < 60)
        {
            guesses.Add(await Guess(service, TunnelProtocol.CheckPath));
        }

        guesses[0].ShouldBe(HttpStatusCode.Unauthorized);
        guesses.ShouldContain(HttpStatusCode.ServiceUnavailable);
        var dialler = replica.Services.GetRequiredService<NetAutomation.Connectors.DeviceDialler>();
        for (var i = 0; i < 40; i++)
        {
            await using var stream = (await dialler.Dial(pair.Dial(device), TimeSpan.FromSeconds(10), default)).Stream.ShouldNotBeNull();
        }
    }

    private static Task<IHost> Start(ConnectorPair pair, params string[] settings) => pair.StartReplica(
    [
        new("Connectors:Listener", "127.0.0.1:0"),
        .. settings.Select(each => each.Split('=')).Select(each => new KeyValuePair<string, string?>(each[0], each[1])),
    ]);

    private static int Port(IHost replica) => replica.Services.GetRequiredService<ConnectorHost>().Address.Port;

    private static async Task<string> Challenge(ServiceClient service)
    {
        using var answer = await service.Send(new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath), default);
        return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(), TunnelJson.Default.Challenge)!.Nonce;
    }

    /// <summary>A proof of some connector, which is none.</summary>
    private static async Task<HttpStatusCode> Guess(ServiceClient service, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add(TunnelProtocol.ConnectorHeader, $"{ConnectorId.New()}");
        request.Headers.Add(TunnelProtocol.ProofHeader, "e30.AA");
        using var answer = await service.Send(request, default);
        return answer.StatusCode;
    }
}
