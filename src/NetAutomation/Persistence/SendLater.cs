using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace NetAutomation.Persistence;

/// <summary>Keeps the order of what a <see cref="NetAutomationDb"/> sends later with what EF Core sends itself.</summary>
internal sealed class SendLater : DbCommandInterceptor, IDbTransactionInterceptor
{
    public static readonly SendLater Instance = new();

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        await ((NetAutomationDb)eventData.Context!).Flush(cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        await ((NetAutomationDb)eventData.Context!).Flush(cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        await ((NetAutomationDb)eventData.Context!).Flush(cancellationToken);
        return result;
    }

    public async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        await ((NetAutomationDb)eventData.Context!).Flush(cancellationToken);
        return result;
    }

    public InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
        ((NetAutomationDb)eventData.Context!).IsLater ? throw new InvalidOperationException("What is sent later needs an asynchronous commit.") : result;

    public ValueTask<InterceptionResult> CreatingSavepointAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        TransactionCommittingAsync(transaction, eventData, result, cancellationToken);

    public ValueTask<InterceptionResult> RollingBackToSavepointAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        ((NetAutomationDb)eventData.Context!).Forget();
        return ValueTask.FromResult(result);
    }
}
