using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Loops;
using Npgsql;

namespace NetAutomation.Tests.Web;

/// <summary>One of all processes leads, and another one takes over, whatever becomes of it.</summary>
public sealed class LeadershipTests(PostgresServer postgres)
{
    private const string Holders =
        """
        from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
        """;

    [Fact]
    public async Task Process_that_ends_leaves_the_lead_to_another()
    {
        var database = await postgres.Create();
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        var (first, second) = (Of(database), Of(database));
        await first.Renew(default);
        await second.Renew(default);
        (Leads(first), Leads(second)).ShouldBe((true, false));

        await first.DisposeAsync();
        await Eventually.Holds(() => TakesLead(second));
        (await owner.Value<long>($"select count(*) {Holders}")).ShouldBe(1);
        await second.DisposeAsync();
        await Eventually.Holds(async () => await owner.Value<long>($"select count(*) {Holders}") == 0);
    }

    [Fact]
    public async Task Leader_that_loses_its_session_knows_it_and_holds_nothing()
    {
        var database = await postgres.Create();
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        await using var first = Of(database);
        await using var second = Of(database);
        await first.Renew(default);
        await owner.Value<bool>($"select bool_and(pg_terminate_backend(pid)) {Holders}");

        await Should.ThrowAsync<NpgsqlException>(() => first.Renew(default));
        Leads(first).ShouldBeFalse();
        await Eventually.Holds(() => TakesLead(second));
        await first.Renew(default);
        (Leads(first), Leads(second)).ShouldBe((false, true));
    }

    [Fact]
    public async Task Leader_that_is_interrupted_while_it_renews_holds_nothing()
    {
        var database = await postgres.Create();
        await using var owner = NpgsqlDataSource.Create(database.Owner);
        await using var first = Of(database);
        await using var second = Of(database);
        await first.Renew(default);

        await Should.ThrowAsync<OperationCanceledException>(() => first.Renew(new CancellationToken(true)));
        Leads(first).ShouldBeFalse();
        // Sooner than the server would end a silent session that a pool had kept.
        await Eventually.Holds(() => TakesLead(second), within: TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Leader_that_hangs_loses_the_lead()
    {
        var database = await postgres.Create();
        await using var first = Of(database);
        await using var second = Of(database);
        await first.Renew(default);

        await Eventually.Holds(() => TakesLead(second), within: TimeSpan.FromSeconds(60));
        await Should.ThrowAsync<NpgsqlException>(() => first.Renew(default));
        Leads(first).ShouldBeFalse();
    }

    private static Leadership Of(TestDatabase database) => new(Options.Create(new DatabaseOptions { System = database.System }));

    private static bool Leads(Leadership leadership) => leadership.Wait(default).IsCompletedSuccessfully;

    private static async Task<bool> TakesLead(Leadership leadership)
    {
        await leadership.Renew(default);
        return Leads(leadership);
    }
}
