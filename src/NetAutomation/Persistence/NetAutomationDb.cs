using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>The one context of the service. It has no sets: each module reaches its own entities, which no other module can name.</summary>
internal class NetAutomationDb : DbContext
{
    private readonly List<(FormattableString Sql, bool Rows)> _later = [];
    private IDbContextTransaction? _laterOf;
    private bool _unsure;

    public NetAutomationDb(DbContextOptions<NetAutomationDb> options)
        : base(options)
    {
    }

    protected NetAutomationDb(DbContextOptions options)
        : base(options)
    {
    }

    /// <summary>Hints to give after the commit, such as waking a worker. They may be lost without harm.</summary>
    public List<Action> AfterCommit { get; } = [];

    /// <summary>Called before a statement is sent that EF Core does not send, so that a test can end the process there.</summary>
    public Action? Sending { get; init; }

    /// <summary>Begins a transaction that sees and writes rows of this tenant only (row-level security).</summary>
    public async Task<IDbContextTransaction> Begin(TenantId tenant, CancellationToken cancel)
    {
        var transaction = await Database.BeginTransactionAsync(cancel);
        Later(As(tenant), rows: true);
        return transaction;
    }

    /// <summary>
    /// A statement without result that need not be waited for: it goes with the next one, or with the commit, and saves its round trip. Its
    /// fault shows there. What is rolled back before was never sent.
    /// </summary>
    public void Later(FormattableString sql)
    {
        if (sql.Format.StartsWith("select", StringComparison.Ordinal))
        {
            throw new ArgumentException("Nobody would read its result.", nameof(sql));
        }

        Later(sql, rows: false);
    }

    /// <summary>Runs a statement; interpolated values become parameters, an interpolated statement a part of this one. Returns the number of rows.</summary>
    public async Task<int> Execute(FormattableString sql, CancellationToken cancel = default)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out _, null, sql);
        Sending?.Invoke();
        await batch.ExecuteNonQueryAsync(cancel);
        _unsure = false;
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
        await using var batch = Batch(out var results, alone, first, second);
        await using var reader = await Read(batch, results, cancel);
        var rows = await All<TFirst>(reader, cancel);
        await reader.NextResultAsync(cancel);
        return (rows, await All<TSecond>(reader, cancel));
    }

    /// <summary>A query by itself that sees rows of this tenant only: one round trip, where a transaction around it makes two more.</summary>
    public async Task<List<T>> QueryAlone<T>(TenantId tenant, FormattableString sql, CancellationToken cancel)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var results, tenant, sql);
        await using var reader = await Read(batch, results, cancel);
        return await All<T>(reader, cancel);
    }

    /// <summary>Row by row, for results that do not fit into memory. The connection does nothing else meanwhile.</summary>
    public async IAsyncEnumerable<T> Stream<T>(FormattableString sql, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var opened = await Open(cancel);
        await using var batch = Batch(out var results, null, sql);
        await using var reader = await Read(batch, results, cancel);
        var row = Rows<T>.Of(reader);
        while (await reader.ReadAsync(cancel))
        {
            yield return row(reader);
        }
    }

    /// <summary>The single value of a query.</summary>
    public async Task<T?> Scalar<T>(FormattableString sql, CancellationToken cancel = default) => (await Query<T>(sql, cancel)).FirstOrDefault();

    /// <summary>Sends what need not be waited for.</summary>
    internal async Task Flush(CancellationToken cancel)
    {
        if (IsLater)
        {
            await using var batch = Batch(out _, null);
            Sending?.Invoke();
            await batch.ExecuteNonQueryAsync(cancel);
            _unsure = false;
        }
    }

    /// <summary>What was not sent is rolled back.</summary>
    internal void Forget()
    {
        _later.Clear();
        _unsure = false;
    }

    /// <summary>Something waits for the next statement of this transaction.</summary>
    internal bool IsLater => (_unsure || _later.Count > 0) && ReferenceEquals(_laterOf, Database.CurrentTransaction);

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.ApplyConfigurationsFromAssembly(typeof(NetAutomationDb).Assembly);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => Conventions.Configure(configurationBuilder);

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

    private async Task<NpgsqlDataReader> Read(NpgsqlBatch batch, int results, CancellationToken cancel)
    {
        var reader = await batch.ExecuteReaderAsync(cancel);
        _unsure = false;
        for (; results > 0; results--)
        {
            await reader.NextResultAsync(cancel);
        }

        return reader;
    }

    private void Later(FormattableString sql, bool rows)
    {
        var transaction = Database.CurrentTransaction ?? throw new InvalidOperationException("There is no transaction to send it with.");
        if (!ReferenceEquals(_laterOf, transaction))
        {
            Forget();
            _laterOf = transaction;
        }

        _later.Add((sql, rows));
    }

    private async Task<Opened> Open(CancellationToken cancel)
    {
        await Database.OpenConnectionAsync(cancel);
        return new Opened(this);
    }

    /// <param name="results">How many results of what waited come before those of the statements.</param>
    private NpgsqlBatch Batch(out int results, TenantId? alone, params ReadOnlySpan<FormattableString> statements)
    {
        if (alone is not null && Database.CurrentTransaction is not null)
        {
            throw new InvalidOperationException("The transaction has a tenant already.");
        }

        var batch = ((NpgsqlConnection)Database.GetDbConnection()).CreateBatch();
        batch.Timeout = Database.GetCommandTimeout() ?? batch.Timeout;
        batch.Transaction = (NpgsqlTransaction?)Database.CurrentTransaction?.GetDbTransaction();
        results = 0;
        if (IsLater)
        {
            if (_unsure)
            {
                throw new InvalidOperationException("Nobody knows whether what was to be sent with an earlier statement was: only a rollback is left.");
            }

            _unsure = true;
            foreach (var (sql, rows) in _later)
            {
                batch.BatchCommands.Add(Command(sql));
                results += rows ? 1 : 0;
            }

            _later.Clear();
        }

        if (alone is { } tenant)
        {
            // A batch without a transaction is one by itself.
            batch.BatchCommands.Add(Command(As(tenant)));
            results++;
        }

        foreach (var sql in statements)
        {
            batch.BatchCommands.Add(Command(sql));
        }

        return batch;
    }

    private static NpgsqlBatchCommand Command(FormattableString sql)
    {
        var command = new NpgsqlBatchCommand();
        command.CommandText = Text(sql, command.Parameters);
        return command;
    }

    private static string Text(FormattableString sql, NpgsqlParameterCollection parameters) => string.Format(CultureInfo.InvariantCulture, sql.Format, Array.ConvertAll(sql.GetArguments(), argument =>
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
