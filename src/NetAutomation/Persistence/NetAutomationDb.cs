using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>The one context of the service. It has no sets: each module reaches its own entities, which no other module can name.</summary>
internal class NetAutomationDb : DbContext
{
    private TenantId? _tenant;
    private DatabaseBudget? _budget;
    private TransactionTime? _time;

    public NetAutomationDb(DbContextOptions<NetAutomationDb> options)
        : base(options)
    {
    }

    protected NetAutomationDb(DbContextOptions options)
        : base(options)
    {
    }

    /// <summary>Hints to give after the next commit, such as waking a worker. They may be lost without harm.</summary>
    public List<Action> AfterCommit { get; } = [];

    /// <summary>Called before a statement is sent that EF Core does not send, so that a test can end the process there.</summary>
    public Action? Sending { get; init; }

    /// <summary>How long a statement of the transaction may take (<see cref="StatementLimit.Extend"/>).</summary>
    public TimeSpan LongestStatement { get; set; } = StatementLimit.App;

    /// <summary>The statements that wait for the next one.</summary>
    internal DeferredStatements Deferred { get; } = new();

    /// <summary>Begins a transaction that sees and writes rows of this tenant only (row-level security).</summary>
    /// <param name="longest">No statement begins later than this after now.</param>
    public async Task<IDbContextTransaction> Begin(TenantId tenant, CancellationToken cancel, TimeSpan? longest = null)
    {
        var transaction = await Database.BeginTransactionAsync(cancel);
        Deferred.Add(transaction, As(tenant));
        _tenant = tenant;
        _time = longest is { } most ? new(most) : null;
        return transaction;
    }

    /// <summary>
    /// Sends a statement whose result nobody needs together with the next one, or with the commit, which saves its round trip. Where the
    /// server refuses it, the next statement throws a <see cref="DeferredStatementException"/>. A rollback before that drops it.
    /// </summary>
    public void SendWithNext(FormattableString sql) => Deferred.Add(
        Database.CurrentTransaction ?? throw new InvalidOperationException("There is no transaction to send it in."), sql);

    /// <summary>
    /// Runs a statement; interpolated values become parameters, an interpolated statement a part of this one. Returns the number of rows.
    /// </summary>
    public Task<int> Execute(FormattableString sql, CancellationToken cancel = default) => Execute([sql], cancel);

    /// <summary>Rows of a query as records: columns in snake case, members in Pascal case.</summary>
    public Task<List<T>> Query<T>(FormattableString sql, CancellationToken cancel = default) =>
        Send([sql], (_, reader) => All<T>(reader, cancel), cancel);

    /// <summary>Two queries, the second after the first, in one round trip.</summary>
    /// <param name="tenant">Where there is no transaction: the two see rows of this tenant only.</param>
    public Task<(List<TFirst> First, List<TSecond> Second)> Query<TFirst, TSecond>(
        FormattableString first, FormattableString second, CancellationToken cancel, TenantId? tenant = null) =>
        Send(
            [first, second],
            async (_, reader) =>
            {
                var rows = await All<TFirst>(reader, cancel);
                await reader.NextResultAsync(cancel);
                return (rows, await All<TSecond>(reader, cancel));
            },
            cancel, tenant);

    /// <summary>
    /// A query in the transaction, or by itself where there is none: then it sees rows of this tenant only, in one round trip where a
    /// transaction around it makes two more.
    /// </summary>
    public Task<List<T>> QueryAs<T>(TenantId tenant, FormattableString sql, CancellationToken cancel) =>
        Send([sql], (_, reader) => All<T>(reader, cancel), cancel, tenant);

    /// <summary>Row by row, for results that do not fit into memory. The connection does nothing else meanwhile.</summary>
    public async IAsyncEnumerable<T> Stream<T>(FormattableString sql, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var first, null, sql);
        await using var reader = await Read(batch, first, cancel);
        var row = Rows<T>.Of(reader);
        while (await reader.ReadAsync(cancel))
        {
            yield return row(reader);
        }
    }

    /// <summary>The single value of a query.</summary>
    public async Task<T?> Scalar<T>(FormattableString sql, CancellationToken cancel = default) =>
        (await Query<T>(sql, cancel)).FirstOrDefault();

    /// <summary>Sends the statements that wait for the next one.</summary>
    internal Task SendDeferred(CancellationToken cancel) =>
        Deferred.IsNeeded(Database.CurrentTransaction) ? Execute([], cancel) : Task.CompletedTask;

    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default)
    {
        foreach (var row in ChangeTracker.Entries<IVersioned>().Where(row => row.State == EntityState.Modified))
        {
            row.Entity.Version++;
        }

        return base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken);
    }

    /// <summary>Takes a connection from the budget, unless it has one. The budget gets it back when the connection is closed.</summary>
    internal async ValueTask Spend(DatabaseBudget budget, CancellationToken cancel)
    {
        if (_budget is null)
        {
            await budget.Take(cancel);
            _budget = budget;
        }
    }

    /// <summary>Before each statement.</summary>
    internal void CheckTime()
    {
        if (Database.CurrentTransaction is not null)
        {
            _time?.Check();
        }
    }

    internal void GiveBack() => Interlocked.Exchange(ref _budget, null)?.Return();

    public override void Dispose()
    {
        base.Dispose();
        GiveBack();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        GiveBack();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder) =>
        modelBuilder.ApplyConfigurationsFromAssembly(typeof(NetAutomationDb).Assembly);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        Conventions.Configure(configurationBuilder);

    private static FormattableString As(TenantId tenant) => $"select set_config('app.tenant', {tenant.Value.ToString()}, true)";

    private static async Task<List<T>> All<T>(NpgsqlDataReader reader, CancellationToken cancel)
    {
        var (rows, row) = (new List<T>(), Rows<T>.Of(reader));
        while (await reader.ReadAsync(cancel))
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    /// <summary>Returns the number of rows of the last statement.</summary>
    private Task<int> Execute(FormattableString[] statements, CancellationToken cancel)
    {
        Sending?.Invoke();
        return Send(
            statements,
            async (batch, reader) =>
            {
                while (await reader.NextResultAsync(cancel))
                {
                    // Nobody needs the rows.
                }

                return batch.BatchCommands[^1].RecordsAffected;
            },
            cancel);
    }

    /// <summary>Sends the statements, after the deferred ones, in one round trip.</summary>
    /// <param name="read">Reads the answer, beginning at the first result of the statements.</param>
    /// <param name="tenant">Where there is no transaction: the statements see rows of this tenant only.</param>
    private async Task<T> Send<T>(
        FormattableString[] statements, Func<NpgsqlBatch, NpgsqlDataReader, Task<T>> read, CancellationToken cancel,
        TenantId? tenant = null)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var first, tenant, statements);
        await using var reader = await Read(batch, first, cancel);
        return await read(batch, reader);
    }

    /// <summary>The reader at the first result of this command or a later one.</summary>
    /// <param name="first">The number of the commands before it, whose rows are passed over.</param>
    private async Task<NpgsqlDataReader> Read(NpgsqlBatch batch, int first, CancellationToken cancel)
    {
        NpgsqlDataReader? reader = null;
        try
        {
            reader = await batch.ExecuteReaderAsync(cancel);
            // The server completes a command after its last row, and Npgsql learns its type then.
            while (first > 0 && batch.BatchCommands[first - 1].StatementType == StatementType.Unknown
                && await reader.NextResultAsync(cancel))
            {
                // Rows of an earlier command.
            }
        }
        catch (Exception fault)
        {
            await (reader?.DisposeAsync() ?? default);
            if (fault is PostgresException { BatchCommand: { } refused } refusal && batch.BatchCommands.IndexOf(refused) < first)
            {
                throw new DeferredStatementException(refusal);
            }

            throw;
        }

        Deferred.Arrived();
        return reader;
    }

    private async Task<Opened> Open(CancellationToken cancel)
    {
        await Database.OpenConnectionAsync(cancel);
        return new Opened(this);
    }

    /// <param name="first">The number of commands before these statements.</param>
    private NpgsqlBatch Batch(out int first, TenantId? tenant, params ReadOnlySpan<FormattableString> statements)
    {
        CheckTime();
        var transaction = Database.CurrentTransaction;
        var batch = ((NpgsqlConnection)Database.GetDbConnection()).CreateBatch();
        batch.Timeout = Database.GetCommandTimeout() ?? batch.Timeout;
        batch.Transaction = (NpgsqlTransaction?)transaction?.GetDbTransaction();
        Deferred.MoveTo(batch, transaction);
        if (transaction is null && tenant is { } alone)
        {
            // A batch without a transaction is one by itself.
            batch.BatchCommands.Add(Command(As(alone)));
        }
        else if (tenant is { } asked && _tenant is { } other && asked != other)
        {
            throw new InvalidOperationException("The transaction is another tenant's.");
        }

        first = batch.BatchCommands.Count;
        foreach (var sql in statements)
        {
            batch.BatchCommands.Add(Command(sql));
        }

        return batch;
    }

    internal static NpgsqlBatchCommand Command(FormattableString sql)
    {
        var command = new NpgsqlBatchCommand();
        command.CommandText = Text(sql, command.Parameters);
        return command;
    }

    private static string Text(FormattableString sql, NpgsqlParameterCollection parameters) =>
        string.Format(CultureInfo.InvariantCulture, sql.Format, Array.ConvertAll(sql.GetArguments(), argument =>
    {
        if (argument is FormattableString part)
        {
            return (object)Text(part, parameters);
        }

        parameters.Add(new() { Value = argument ?? DBNull.Value });
        return $"${parameters.Count}";
    }));

    private readonly struct Opened(NetAutomationDb db) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await db.Database.CloseConnectionAsync();
    }
}

/// <summary>
/// The context under the <c>na_system</c> role, for work that belongs to no tenant yet or to all: look-up of keys and endpoints, claim,
/// rescue, reconcile, retention, the operator API. docs/architecture.md lists the folders that may use it.
/// </summary>
internal sealed class SystemDb(DbContextOptions<SystemDb> options) : NetAutomationDb(options);
