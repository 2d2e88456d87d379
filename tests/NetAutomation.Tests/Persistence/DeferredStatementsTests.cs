using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class DeferredStatementsTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_statement_deferred_to_a_cancelled_one_is_never_missing_from_a_commit()
    {
        await using var source = PersistenceModule.Source((await postgres.Create()).Owner);
        await using var db =
            new NetAutomationDb(
                new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(source).UseSnakeCaseNamingConvention()
                    .AddInterceptors(DeferredStatements.Interceptor).Options);
        await db.Execute($"create table public.noted (word text)");
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            db.SendWithNext($"insert into public.noted values ('lost')");
            await Should.ThrowAsync<OperationCanceledException>(
                () => db.Execute($"insert into public.noted values ('cancelled')", new CancellationToken(canceled: true)));
            await Should.ThrowAsync<InvalidOperationException>(() => db.Query<string>($"select word from public.noted"));
            await Should.ThrowAsync<InvalidOperationException>(() => transaction.CommitAsync());
        }

        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            db.SendWithNext($"insert into public.noted values ('first')");
            await transaction.CreateSavepointAsync("before");
            db.SendWithNext($"insert into public.noted values ('lost')");
            await Should.ThrowAsync<OperationCanceledException>(
                () => db.Execute($"insert into public.noted values ('cancelled')", new CancellationToken(canceled: true)));
            await transaction.RollbackToSavepointAsync("before");
            db.SendWithNext($"insert into public.noted values ('second')");
            await transaction.CommitAsync();
        }

        (await db.Query<string>($"select word from public.noted order by word")).ShouldBe(["first", "second"]);
    }

    [Theory]
    [InlineData("execute")]
    [InlineData("query")]
    [InlineData("entity framework")]
    [InlineData("commit")]
    public async Task Refused_deferred_statement_is_named_and_the_one_it_was_sent_with_is_not(string sentWith)
    {
        await using var source = PersistenceModule.Source((await postgres.Create()).Owner);
        await using var db =
            new NetAutomationDb(
                new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(source).AddInterceptors(DeferredStatements.Interceptor).Options);
        await db.Execute($"create table public.noted (word text constraint once unique)");
        await db.Execute($"insert into public.noted values ('twice')");
        await using (var transaction = await db.Begin(TenantId.New(), default))
        {
            db.SendWithNext($"insert into public.noted values ('fine')");
            db.SendWithNext($"insert into public.noted (word) values ({"twice"})");
            var fault = await Should.ThrowAsync<DeferredStatementException>(() => sentWith switch
            {
                "execute" => db.Execute($"insert into public.noted values ('mine')"),
                "query" => db.Query<string>($"select word from public.noted"),
                "entity framework" => db.Database.ExecuteSqlAsync($"insert into public.noted values ('mine')"),
                _ => transaction.CommitAsync(),
            });
            fault.Message.ShouldContain("insert into public.noted (word) values ($1)");
            fault.Refusal.ConstraintName.ShouldBe("once");
            await Should.ThrowAsync<InvalidOperationException>(() => db.Query<string>($"select word from public.noted"));
            await transaction.RollbackAsync();
        }

        await using (var transaction = await db.Begin(TenantId.New(), default))
        {
            db.SendWithNext($"insert into public.noted values ('fine')");
            (await Should.ThrowAsync<PostgresException>(
                () => db.Execute($"insert into public.noted values ('twice')"))).ConstraintName.ShouldBe("once");
        }

        (await db.Query<string>($"select word from public.noted")).ShouldBe(["twice"]);
    }

    [Fact]
    public async Task Rows_of_a_deferred_statement_are_not_taken_for_those_of_the_next_one()
    {
        await using var source = PersistenceModule.Source((await postgres.Create()).Owner);
        await using var db =
            new NetAutomationDb(
                new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(source).AddInterceptors(DeferredStatements.Interceptor).Options);
        await using var transaction = await db.Begin(TenantId.New(), default);
        db.SendWithNext($"select word from (values ('first'), ('second')) as deferred (word)");
        (await db.Query<string>($"select 'third'")).ShouldBe(["third"]);
        db.SendWithNext($"select 1 / 1");
        db.SendWithNext($"create temporary table empty (word text)");
        db.SendWithNext($"insert into empty values ('gone') returning word");
        db.SendWithNext($"delete from empty");
        (await db.Query<string>($"select word from empty")).ShouldBeEmpty();
        db.SendWithNext($"select 1");
        (await db.Execute($"insert into empty values ('one'), ('two')")).ShouldBe(2);
        db.SendWithNext($"select 1");
        Should.Throw<InvalidOperationException>(() => transaction.Commit()).Message.ShouldContain("asynchronous");
    }
}
