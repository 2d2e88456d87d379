using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Statements of one transaction that wait for its next statement or its commit, in their order.</summary>
internal sealed class DeferredStatements
{
    /// <summary>
    /// Sends the waiting statements before those that EF Core sends itself, and gives the hints of
    /// <see cref="NetAutomationDb.AfterCommit"/>.
    /// </summary>
    public static readonly IInterceptor Interceptor = new SendBefore();

    private readonly List<FormattableString> _waiting = [];
    private IDbContextTransaction? _transaction;
    private bool _uncertain;

    public void Add(IDbContextTransaction transaction, FormattableString sql)
    {
        if (!ReferenceEquals(_transaction, transaction))
        {
            Clear();
            _transaction = transaction;
        }

        _waiting.Add(sql);
    }

    /// <summary>The next statement of the transaction, or its commit, has to take statements along.</summary>
    public bool IsNeeded(IDbContextTransaction? transaction) => (_uncertain || _waiting.Count > 0)
        && ReferenceEquals(_transaction, transaction);

    /// <summary>Moves the waiting statements into the batch. Until <see cref="Arrived"/>, only a rollback may follow.</summary>
    public void MoveTo(NpgsqlBatch batch, IDbContextTransaction? transaction)
    {
        if (!IsNeeded(transaction))
        {
            return;
        }

        if (_uncertain)
        {
            throw new InvalidOperationException(
                "An earlier statement failed, and it is not known whether the statements deferred to it arrived: only a rollback is left.");
        }

        _uncertain = true;
        foreach (var sql in _waiting)
        {
            batch.BatchCommands.Add(NetAutomationDb.Command(sql));
        }

        _waiting.Clear();
    }

    public void Arrived() => _uncertain = false;

    /// <summary>Forgets the waiting statements, after a rollback.</summary>
    public void Clear()
    {
        _waiting.Clear();
        _uncertain = false;
    }

    private sealed class SendBefore : DbCommandInterceptor, IDbTransactionInterceptor
    {
        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default) => Before(eventData, result, cancellationToken);

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
            Before(eventData, result, cancellationToken);

        public override ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<object> result,
            CancellationToken cancellationToken = default) => Before(eventData, result, cancellationToken);

        public ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default) => After(eventData, result, cancellationToken);

        public InterceptionResult TransactionCommitting(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
            Db(eventData) is var db && db.Deferred.IsNeeded(db.Database.CurrentTransaction)
                ? throw new InvalidOperationException("Deferred statements need an asynchronous commit.")
                : result;

        public ValueTask<InterceptionResult> CreatingSavepointAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default) => After(eventData, result, cancellationToken);

        public ValueTask<InterceptionResult> RollingBackToSavepointAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default)
        {
            Db(eventData).Deferred.Clear();
            return ValueTask.FromResult(result);
        }

        public Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            var hints = Db(eventData).AfterCommit.ToList();
            Db(eventData).AfterCommit.Clear();
            try
            {
                hints.ForEach(hint => hint());
            }
            catch (ObjectDisposedException)
            {
                // The process stops. A commit that succeeded must not look as if it had failed.
            }

            return Task.CompletedTask;
        }

        public Task TransactionRolledBackAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Db(eventData).AfterCommit.Clear();
            return Task.CompletedTask;
        }

        private static ValueTask<T> Before<T>(DbContextEventData eventData, T result, CancellationToken cancel)
        {
            Db(eventData).CheckTime();
            return After(eventData, result, cancel);
        }

        private static async ValueTask<T> After<T>(DbContextEventData eventData, T result, CancellationToken cancel)
        {
            await Db(eventData).SendDeferred(cancel);
            return result;
        }

        private static NetAutomationDb Db(DbContextEventData eventData) => (NetAutomationDb)eventData.Context!;
    }
}

/// <summary>The database refused a deferred statement, not the one it was sent with.</summary>
internal sealed class DeferredStatementException(PostgresException refusal)
    : InvalidOperationException(
        $"A deferred statement was refused, not the one it was sent with: {Start(refusal.BatchCommand!.CommandText)}", refusal)
{
    public PostgresException Refusal { get; } = refusal;

    private static string Start(string sql)
    {
        var line = string.Join(' ', sql.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries));
        return line.Length > 80 ? $"{line[..80]}…" : line;
    }
}
