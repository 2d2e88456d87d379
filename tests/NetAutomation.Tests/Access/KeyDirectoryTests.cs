using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Edge;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Access;

/// <summary>What a process keeps for a moment of who may call.</summary>
public sealed class KeyDirectoryTests(PostgresServer postgres)
{
    [Fact]
    public async Task Change_of_a_member_counts_at_once_and_forgets_no_key_of_another_tenant()
    {
        var (clock, database) = (new StoppedClock(), await postgres.Create());
        await using var host = await ServiceHost.Start(
            database, ["Roles:1=api"], builder => builder.Services.AddSingleton<TimeProvider>(clock));
        var (mine, other) = (await host.CreateTenant(), await host.CreateTenant());
        var made = await mine.Client.NewMemberKey("viewer");
        using var viewer = host.Customer(mine.EndpointId, made.Secret);
        (await Status(viewer)).ShouldBe(HttpStatusCode.OK);
        (await Status(other.Client)).ShouldBe(HttpStatusCode.OK);

        // Another process, so this one goes on with the answer that it keeps, as long as it does.
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        await owner.Execute("update onboarding.api_key set revoked_at = now() where tenant_id = $1", other.Id.Value);
        foreach (var (state, status) in new[] { ("disabled", HttpStatusCode.Unauthorized), ("active", HttpStatusCode.OK) })
        {
            (await mine.Client.Call("PATCH", $"/v1/members/{made.Member}", new { state }, "*")).Must(HttpStatusCode.OK);
            (await Status(viewer)).ShouldBe(status);
        }

        (await mine.Client.Call("DELETE", $"/v1/api-keys/{made.Key}")).Must(HttpStatusCode.NoContent);
        (await Status(viewer)).ShouldBe(HttpStatusCode.Unauthorized);
        (await Status(other.Client)).ShouldBe(HttpStatusCode.OK);
        clock.Advance(TimeSpan.FromSeconds(1));
        (await Status(other.Client)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    private static async Task<HttpStatusCode> Status(HttpClient client)
    {
        using var answer = await client.GetAsync("/v1/me");
        return answer.StatusCode;
    }
}
