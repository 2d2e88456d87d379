using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>The one context of the service. It has no sets: each module reaches its own entities, which no other module can name.</summary>
internal class NetAutomationDb : DbContext
{
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

    /// <summary>What waits for the next statement.</summary>
    internal DeferredStatements Deferred { get; } = new();

    /// <summary>Begins a transaction that sees and writes rows of this tenant only (row-level security).</summary>
    public async Task<IDbContextTransaction> Begin(TenantId tenant, CancellationToken cancel)
    {
        var transaction = await Database.BeginTransactionAsync(cancel);
        Deferred.Add(transaction, As(tenant), returnsRows: true);
        return transaction;
    }

    /// <summary>
    /// Sends a statement without result together with the next one, or with the commit, which saves its round trip. Where it is refused,
    /// that one throws a <see cref="DeferredStatementException"/>. A rollback before that drops it.
    /// </summary>
    public void SendWithNext(FormattableString sql)
    {
        // Only the answer of the server says for certain that a statement returns rows; these would be read as rows of the next statement.
        if (sql.Format.StartsWith("select", StringComparison.OrdinalIgnoreCase)
            || sql.Format.Contains("returning", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException("Its rows would be read as rows of the next statement.", nameof(sql));
        }

        Deferred.Add(
            Database.CurrentTransaction ?? throw new InvalidOperationException("There is no transaction to send it in."), sql,
            returnsRows: false);
    }

    /// <summary>
    /// Runs a statement; interpolated values become parameters, an interpolated statement a part of this one. Returns the number of rows.
    /// </summary>
    public async Task<int> Execute(FormattableString sql, CancellationToken cancel = default)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var deferred, null, sql);
        await Send(batch, deferred, cancel);
        return batch.BatchCommands[^1].RecordsAffected;
    }

    /// <summary>Rows of a query as records: columns in snake case, members in Pascal case.</summary>
    public async Task<List<T>> Query<T>(FormattableString sql, CancellationToken cancel = default)
    {
        var rows = new List<T>();
        await foreach (var row in Stream<T>(sql, cancel))
        {
            rows.Add(row);
        }

        return rows;
    }

    /// <summary>Two queries, the second after the first, in one round trip.</summary>
    /// <param name="alone">Begins no transaction: the two see rows of this tenant only, and nothing comes after them.</param>
    public async Task<(List<TFirst> First, List<TSecond> Second)> Query<TFirst, TSecond>(
        FormattableString first, FormattableString second, CancellationToken cancel, TenantId? alone = null)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var deferred, alone, first, second);
        await using var reader = await Read(batch, deferred, cancel);
        var rows = await All<TFirst>(reader, cancel);
        await reader.NextResultAsync(cancel);
        return (rows, await All<TSecond>(reader, cancel));
    }

    /// <summary>
    /// A query by itself that sees rows of this tenant only: one round trip, where a transaction around it makes two more.
    /// </summary>
    public async Task<List<T>> QueryAlone<T>(TenantId tenant, FormattableString sql, CancellationToken cancel)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var deferred, tenant, sql);
        await using var reader = await Read(batch, deferred, cancel);
        return await All<T>(reader, cancel);
    }

    /// <summary>Row by row, for results that do not fit into memory. The connection does nothing else meanwhile.</summary>
    public async IAsyncEnumerable<T> Stream<T>(FormattableString sql, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var deferred, null, sql);
        await using var reader = await Read(batch, deferred, cancel);
        var row = Rows<T>.Of(reader);
        while (await reader.ReadAsync(cancel))
        {
            yield return row(reader);
        }
    }

    /// <summary>The single value of a query.</summary>
    public async Task<T?> Scalar<T>(FormattableString sql, CancellationToken cancel = default) =>
        (await Query<T>(sql, cancel)).FirstOrDefault();

    /// <summary>Sends what waits for the next statement.</summary>
    internal async Task SendDeferred(CancellationToken cancel)
    {
        if (Deferred.Wait(Database.CurrentTransaction))
        {
            await using var batch = Batch(out var deferred, null);
            await Send(batch, deferred, cancel);
        }
    }

    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default)
    {
        foreach (var row in ChangeTracker.Entries<IVersioned>().Where(row => row.State == EntityState.Modified))
        {
            row.Entity.Version++;
        }

        return base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken);
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

    private async Task Send(NpgsqlBatch batch, DeferredStatements.Sent deferred, CancellationToken cancel)
    {
        Sending?.Invoke();
        try
        {
            await batch.ExecuteNonQueryAsync(cancel);
        }
        catch (PostgresException fault) when (deferred.Hold(fault.BatchCommand))
        {
            throw new DeferredStatementException(fault);
        }

        Deferred.Arrived();
    }

    /// <summary>The reader at the first result of the statement itself.</summary>
    private async Task<NpgsqlDataReader> Read(NpgsqlBatch batch, DeferredStatements.Sent deferred, CancellationToken cancel)
    {
        NpgsqlDataReader? reader = null;
        try
        {
            reader = await batch.ExecuteReaderAsync(cancel);
            for (var left = deferred.Results; left > 0; left--)
            {
                await reader.NextResultAsync(cancel);
            }
        }
        catch (Exception fault)
        {
            await (reader?.DisposeAsync() ?? default);
            if (fault is PostgresException refusal && deferred.Hold(refusal.BatchCommand))
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

    private NpgsqlBatch Batch(out DeferredStatements.Sent deferred, TenantId? alone, params ReadOnlySpan<FormattableString> statements)
    {
        var transaction = Database.CurrentTransaction;
        if (alone is not null && transaction is not null)
        {
            throw new InvalidOperationException("The transaction has a tenant already.");
        }

        var batch = ((NpgsqlConnection)Database.GetDbConnection()).CreateBatch();
        batch.Timeout = Database.GetCommandTimeout() ?? batch.Timeout;
        batch.Transaction = (NpgsqlTransaction?)transaction?.GetDbTransaction();
        deferred = Deferred.MoveTo(batch, transaction);
        if (alone is { } tenant)
        {
            // A batch without a transaction is one by itself.
            batch.BatchCommands.Add(Command(As(tenant)));
            deferred = deferred with { Results = 1 };
        }

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
/// reaper, reconcile, retention, the operator API. A test lists the classes that may use it.
/// </summary>
internal sealed class SystemDb(DbContextOptions<SystemDb> options) : NetAutomationDb(options);
