using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// Ends a process after this number of steps: from then on every statement, commit and call throws, so it writes nothing more. A step is
/// before each connection, statement and commit, after each commit, and before and after each call to AWS.
/// </summary>
internal sealed class KillSwitch(int steps) : IDbCommandInterceptor, IDbConnectionInterceptor, IDbTransactionInterceptor
{
    private int _left = steps;

    public bool Killed => _left < 0;

    public void Step()
    {
        if (Interlocked.Decrement(ref _left) < 0)
        {
            throw new KilledException();
        }
    }

    public ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Step();
        return ValueTask.FromResult(result);
    }

    public ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Step();
        return ValueTask.FromResult(result);
    }

    public ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Step();
        return ValueTask.FromResult(result);
    }

    public Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Step();
        return Task.CompletedTask;
    }
}

internal sealed class KilledException() : Exception("The process is dead.");
