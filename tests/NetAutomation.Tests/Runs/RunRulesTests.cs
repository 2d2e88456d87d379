using System.Reflection;
using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>Compares the code's rules of runs with those of the database.</summary>
public sealed class RunRulesTests(PostgresServer postgres)
{
    [Fact]
    public async Task States_are_those_of_the_database()
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        (await Column(source, "select state from runs.run_state where state <> 'none'"))
            .ShouldBe(Names(typeof(RunState)), ignoreOrder: true);
    }

    [Fact]
    public async Task Moves_that_the_service_makes_are_legal()
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        var legal = await Column(source, "select from_state || ' ' || to_state from runs.legal_transition");
        var fields = typeof(RunMove).GetFields(BindingFlags.Public | BindingFlags.Static);
        var moves = fields.Select(field => field.GetValue(null)).OfType<RunMove>().ToList();
        moves.Count.ShouldBeGreaterThan(5);
        moves.SelectMany(move => move.From.Select(from => $"{Wire.Name(from)} {Wire.Name(move.To)}")).Except(legal).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("runs.run_device", "outcome", typeof(DeviceOutcome))]
    [InlineData("runs.run_device", "phase", typeof(DevicePhase))]
    [InlineData("runs.run", "mode", typeof(RunMode))]
    [InlineData("runs.run", "effect", typeof(Effect))]
    [InlineData("catalog.block_version", "effect", typeof(Effect))]
    public async Task Values_of_a_column_are_those_of_its_declaration(string table, string column, Type declared)
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        var check = (await Column(
            source,
            $"""
            select pg_get_constraintdef(c.oid) from pg_constraint c
              join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
            where c.conrelid = '{table}'::regclass and c.contype = 'c' and a.attname = '{column}'
            """)).ShouldHaveSingleItem();
        check.Split('\'').Where((_, i) => i % 2 == 1).ShouldBe(Names(declared), ignoreOrder: true);
    }

    [Fact]
    public async Task Device_whose_outcome_is_good_is_billed_and_no_other()
    {
        await using var fixture = await RunFixture.Start(postgres, 5);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        var outcomes = Enum.GetValues<DeviceOutcome>().Where(outcome => outcome != DeviceOutcome.Unknown).ToArray();
        await fixture.Work(run, outcomes);
        var billed = await fixture.Scalar<long>("select count(*) from billing.usage_event where meter = 'device'");
        billed.ShouldBe(outcomes.Count(outcome => outcome.IsGood()));
    }

    private static string[] Names(Type declared) => [.. Enum.GetNames(declared).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    private static async Task<List<string>> Column(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
