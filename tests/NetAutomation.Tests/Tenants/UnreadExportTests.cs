using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Tenants;

/// <summary>Readers of exports that stop to read.</summary>
public sealed class UnreadExportTests(PostgresServer postgres)
{
    [Fact]
    public async Task An_export_that_is_not_read_is_cut_off_and_holds_no_transaction_meanwhile()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(
            database, ["Roles:1=api"], builder => builder.Services.AddSingleton<TimeProvider>(clock));
        var tenant = await host.CreateTenant();
        await using var source = NpgsqlDataSource.Create(database.Owner);
        await source.Execute(
            """
            insert into web.audit_event (tenant_id, id, principal, member, action, subject, data)
            select $1, gen_random_uuid(), 'test', 'test', 'test.made', 'test', jsonb_build_object('text', repeat('x', 3000))
            from generate_series(1, 4000)
            """,
            tenant.Id.Value);
        using var export = await host.Customer(tenant.EndpointId, tenant.Key, receiveBuffer: 4096)
            .GetAsync(new Uri("/v1/export", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        export.EnsureSuccessStatusCode();
        await using var body = await export.Content.ReadAsStreamAsync();
        // Nothing is read until the service has cut it off; what the network still holds comes before the end.
        for (var i = 0; i < 40; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(5));
            await Task.Delay(50);
        }

        await using var idle = source.CreateCommand(
            "select count(*) from pg_stat_activity where datname = current_database() and usename = 'na_app' and state like 'idle in%'");
        (await idle.ExecuteScalarAsync()).ShouldBe(0L);
        await Should.ThrowAsync<IOException>(body.CopyToAsync(Stream.Null).WaitAsync(Eventually.Limit));
        using var again = await tenant.Client.GetAsync(new Uri("/v1/export", UriKind.Relative));
        (await again.Content.ReadAsStringAsync()).ShouldContain("\"kind\":\"end\"");
    }
}
