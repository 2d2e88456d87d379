using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace NetAutomation.Persistence;

/// <summary>
/// Database connections that the requests of one tenant hold at a time. A request finds its tenant's budget among the features of its
/// context; work that no request waits for has none.
/// </summary>
/// <param name="share">What the requests of all tenants hold together.</param>
internal sealed class DatabaseBudget(int most, TimeSpan patience, DatabaseShare share)
{
    private int _used;

    public int Used => Volatile.Read(ref _used);

    /// <exception cref="NoConnectionException">None became free in time.</exception>
    public ValueTask Take(CancellationToken cancel) => share.Take(this, patience, cancel);

    public void Return() => share.Return(this);

    /// <summary>Called under the lock of the share: takes one where the tenant may have one more while so many are free.</summary>
    internal bool TryTake(int free)
    {
        if (_used >= most || free == 0 || (_used > 0 && _used >= free))
        {
            return false;
        }

        _used++;
        return true;
    }

    /// <summary>Called under the lock of the share.</summary>
    internal void GiveBack() => _used--;

    internal NoConnectionException Refusal() => new(ofTenant: Used >= most);

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

/// <summary>
/// Database connections that the requests of all tenants hold at a time, so that the pool has some for what no request waits for. A tenant
/// gets a further one only while more are free than it holds: those who take all they can leave as many as each of them has.
/// </summary>
internal sealed class DatabaseShare(int all)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Wish> _wishes = [];
    private int _free = all;

    /// <exception cref="NoConnectionException">None became free in time.</exception>
    public async ValueTask Take(DatabaseBudget budget, TimeSpan patience, CancellationToken cancel)
    {
        LinkedListNode<Wish> wish;
        lock (_gate)
        {
            if (TryTake(budget))
            {
                return;
            }

            wish = _wishes.AddLast(new Wish(budget, new(TaskCreationOptions.RunContinuationsAsynchronously)));
        }

        try
        {
            await wish.Value.Granted.Task.WaitAsync(patience, cancel);
        }
        catch (Exception given) when (given is TimeoutException or OperationCanceledException)
        {
            if (!Withdraw(wish))
            {
                // Granted in the same moment.
                Return(budget);
            }

            cancel.ThrowIfCancellationRequested();
            throw budget.Refusal();
        }
    }

    public void Return(DatabaseBudget budget)
    {
        lock (_gate)
        {
            budget.GiveBack();
            _free++;
            for (var wish = _wishes.First; wish is not null && _free > 0;)
            {
                var next = wish.Next;
                if (TryTake(wish.Value.Budget))
                {
                    _wishes.Remove(wish);
                    wish.Value.Granted.SetResult();
                }

                wish = next;
            }
        }
    }

    private bool TryTake(DatabaseBudget budget)
    {
        if (!budget.TryTake(_free))
        {
            return false;
        }

        _free--;
        return true;
    }

    private bool Withdraw(LinkedListNode<Wish> wish)
    {
        lock (_gate)
        {
            if (wish.List is null)
            {
                return false;
            }

            _wishes.Remove(wish);
            return true;
        }
    }

    private sealed record Wish(DatabaseBudget Budget, TaskCompletionSource Granted);
}

/// <summary>No database connection became free in time.</summary>
/// <param name="ofTenant">The tenant's requests hold as many as they may; else those of all tenants together do.</param>
internal sealed class NoConnectionException(bool ofTenant) : Exception("The requests hold as many database connections as they may.")
{
    public bool OfTenant => ofTenant;
}
