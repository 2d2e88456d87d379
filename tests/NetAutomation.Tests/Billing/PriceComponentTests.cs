using NetAutomation.Billing;
using NetAutomation.Billing.Usage;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>Places of a price component that the compiler cannot check: public records and the database.</summary>
public sealed class PriceComponentTests(PostgresServer postgres)
{
    [Fact]
    public void Every_component_has_its_price_for_both_modes_and_its_sum_in_usage()
    {
        foreach (var component in PriceComponents.All)
        {
            typeof(BlockPrices).GetProperty($"Apply{component}").ShouldNotBeNull();
            typeof(BlockPrices).GetProperty($"Check{component}").ShouldNotBeNull();
            typeof(UsageGroupView).GetProperty(component.Unit()).ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task Database_takes_exactly_these_components_and_settles_each_with_its_run()
    {
        await using var database = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        (await Column(
            database,
            """
            select regexp_matches(pg_get_constraintdef(oid), '''(\w+)''::text', 'g') from pg_constraint
            where conrelid = 'billing.reservation'::regclass and conname = 'reservation_component_check'
            """)).ShouldBe(PriceComponents.Names, ignoreOrder: true);
        foreach (var stage in new[] { "reserved", "settled" })
        {
            (await Column(
                database,
                $"""
                select array[substr(attname::text, {stage.Length + 2})] from pg_attribute
                where attrelid = 'runs.run'::regclass and starts_with(attname::text, '{stage}_') and attgenerated <> ''
                """)).ShouldBe(PriceComponents.Names, ignoreOrder: true);
        }
    }

    private static async Task<List<string>> Column(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var found = new List<string>();
        while (await reader.ReadAsync())
        {
            found.Add(reader.GetFieldValue<string[]>(0)[0]);
        }

        return found;
    }
}
