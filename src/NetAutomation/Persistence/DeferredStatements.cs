using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Statements of one transaction that wait for its next statement or its commit, in their order.</summary>
internal sealed class DeferredStatements
{
    /// <summary>
    /// Keeps the order between what waits and what EF Core sends itself, and gives the hints of <see cref="NetAutomationDb.AfterCommit"/>.
    /// </summary>
    public static readonly IInterceptor Interceptor = new SendBefore();

    private readonly List<(FormattableString Sql, bool ReturnsRows)> _waiting = [];
    private IDbContextTransaction? _transaction;
    private bool _uncertain;

    public void Add(IDbContextTransaction transaction, FormattableString sql, bool returnsRows)
    {
        if (!ReferenceEquals(_transaction, transaction))
        {
            Drop();
            _transaction = transaction;
        }

        _waiting.Add((sql, returnsRows));
    }

    /// <summary>The next statement of the transaction, or its commit, has to take statements along.</summary>
    public bool Wait(IDbContextTransaction? transaction) => (_uncertain || _waiting.Count > 0)
        && ReferenceEquals(_transaction, transaction);

    /// <summary>Puts what waits into the batch. Until <see cref="Arrived"/>, only a rollback may follow.</summary>
    public Sent MoveTo(NpgsqlBatch batch, IDbContextTransaction? transaction)
    {
        if (!Wait(transaction))
        {
            return new(batch, 0, 0);
        }

        if (_uncertain)
        {
            throw new InvalidOperationException(
                "An earlier statement failed, and it is not known whether the statements deferred to it arrived: only a rollback is left.");
        }

        _uncertain = true;
        foreach (var (sql, _) in _waiting)
        {
            batch.BatchCommands.Add(NetAutomationDb.Command(sql));
        }

        var sent = new Sent(batch, _waiting.Count, _waiting.Count(each => each.ReturnsRows));
        _waiting.Clear();
        return sent;
    }

    public void Arrived() => _uncertain = false;

    /// <summary>After a rollback.</summary>
    public void Drop()
    {
        _waiting.Clear();
        _uncertain = false;
    }

    /// <summary>The statements of a batch that had waited: its first ones.</summary>
    /// <param name="Results">How many of them return rows.</param>
    public readonly record struct Sent(NpgsqlBatch Batch, int Count, int Results)
    {
        public bool Hold(NpgsqlBatchCommand? command) => command is not null && Batch.BatchCommands.IndexOf(command) < Count;
    }

    private sealed class SendBefore : DbCommandInterceptor, IDbTransactionInterceptor
    {
        public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default)
        {
            await Db(eventData).SendDeferred(cancellationToken);
            return result;
        }

        public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            await Db(eventData).SendDeferred(cancellationToken);
            return result;
        }

        public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
        {
            await Db(eventData).SendDeferred(cancellationToken);
            return result;
        }

        public async ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default)
        {
            await Db(eventData).SendDeferred(cancellationToken);
            return result;
        }

        public InterceptionResult TransactionCommitting(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) =>
            Db(eventData) is var db && db.Deferred.Wait(db.Database.CurrentTransaction)
                ? throw new InvalidOperationException("Deferred statements need an asynchronous commit.")
                : result;

        public ValueTask<InterceptionResult> CreatingSavepointAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default) =>
            TransactionCommittingAsync(transaction, eventData, result, cancellationToken);

        public ValueTask<InterceptionResult> RollingBackToSavepointAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default)
        {
            Db(eventData).Deferred.Drop();
            return ValueTask.FromResult(result);
        }

        public Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            var hints = Db(eventData).AfterCommit;
            hints.ForEach(hint => hint());
            hints.Clear();
            return Task.CompletedTask;
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
