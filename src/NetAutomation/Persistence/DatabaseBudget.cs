using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace NetAutomation.Persistence;

/// <summary>
/// Database connections that the requests of one tenant hold at a time. A request finds its tenant's budget among the features of its
/// context; work that no request waits for has none.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle nobody asked for holds nothing.")]
[SuppressMessage("Design", "S2931", Justification = "The same.")]
internal sealed class DatabaseBudget(int most, TimeSpan patience)
{
    private readonly SemaphoreSlim _free = new(most);

    public int Used => most - _free.CurrentCount;

    /// <exception cref="NoConnectionException">None became free in time.</exception>
    public async ValueTask Take(CancellationToken cancel)
    {
        if (!await _free.WaitAsync(patience, cancel))
        {
            throw new NoConnectionException();
        }
    }

    public void Return() => _free.Release();

    /// <summary>Makes a request wait for its tenant's budget before it opens a connection.</summary>
    public sealed class Interceptor(IHttpContextAccessor? requests) : DbConnectionInterceptor
    {
        public override async ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default)
        {
            if (requests?.HttpContext?.Features.Get<DatabaseBudget>() is { } budget)
            {
                await ((NetAutomationDb)eventData.Context!).Spend(budget, cancellationToken);
            }

            return result;
        }

        public override void ConnectionClosed(DbConnection connection, ConnectionEndEventData eventData) =>
            ((NetAutomationDb?)eventData.Context)?.GiveBack();

        public override Task ConnectionClosedAsync(DbConnection connection, ConnectionEndEventData eventData)
        {
            ConnectionClosed(connection, eventData);
            return Task.CompletedTask;
        }

        public override Task ConnectionFailedAsync(
            DbConnection connection, ConnectionErrorEventData eventData, CancellationToken cancellationToken = default)
        {
            ((NetAutomationDb?)eventData.Context)?.GiveBack();
            return Task.CompletedTask;
        }
    }
}

/// <summary>The tenant's requests hold as many database connections as they may.</summary>
internal sealed class NoConnectionException() : Exception("The tenant's requests hold as many database connections as they may.");
