using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Persistence;

public sealed class SendLaterTests(PostgresServer postgres)
{
    [Fact]
    public async Task What_was_to_be_sent_with_a_statement_that_was_cancelled_is_never_missing_from_a_commit()
    {
        await using var source = NpgsqlDataSource.Create((await postgres.Create()).Owner);
        await using var db = new NetAutomationDb(new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(source).UseSnakeCaseNamingConvention().AddInterceptors(SendLater.Instance).Options);
        await db.Execute($"create table public.noted (word text)");
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            db.Later($"insert into public.noted values ('lost')");
            await Should.ThrowAsync<OperationCanceledException>(() => db.Execute($"insert into public.noted values ('cancelled')", new CancellationToken(canceled: true)));
            await Should.ThrowAsync<InvalidOperationException>(() => db.Query<string>($"select word from public.noted"));
            await Should.ThrowAsync<InvalidOperationException>(() => transaction.CommitAsync());
        }

        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            db.Later($"insert into public.noted values ('first')");
            await transaction.CreateSavepointAsync("before");
            db.Later($"insert into public.noted values ('lost')");
            await Should.ThrowAsync<OperationCanceledException>(() => db.Execute($"insert into public.noted values ('cancelled')", new CancellationToken(canceled: true)));
            await transaction.RollbackToSavepointAsync("before");
            db.Later($"insert into public.noted values ('second')");
            await transaction.CommitAsync();
        }

        (await db.Query<string>($"select word from public.noted order by word")).ShouldBe(["first", "second"]);
    }
}
