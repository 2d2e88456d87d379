using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

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

    /// <summary>Hints to give after the commit, such as waking a worker. They may be lost without harm.</summary>
    public List<Action> AfterCommit { get; } = [];

    /// <summary>Begins a transaction that sees and writes rows of this tenant only (row-level security).</summary>
    public async Task<IDbContextTransaction> Begin(TenantId tenant, CancellationToken cancel)
    {
        var transaction = await Database.BeginTransactionAsync(cancel);
        await Execute($"select set_config('app.tenant', {tenant.Value.ToString()}, true)", cancel);
        return transaction;
    }

    /// <summary>Runs a statement; interpolated values become parameters. Returns the number of rows.</summary>
    public Task<int> Execute(FormattableString sql, CancellationToken cancel = default) => Database.ExecuteSqlAsync(sql, cancel);

    /// <summary>Rows of a query as records: columns in snake case, members in Pascal case.</summary>
    public Task<List<T>> Query<T>(FormattableString sql, CancellationToken cancel = default) => Rows.Read<T>(Database, sql, cancel);

    /// <summary>The same, row by row.</summary>
    public IAsyncEnumerable<T> Stream<T>(FormattableString sql, CancellationToken cancel) => Rows.Stream<T>(Database, sql, cancel);

    /// <summary>The single value of a query.</summary>
    public async Task<T?> Scalar<T>(FormattableString sql, CancellationToken cancel = default) => (await Query<T>(sql, cancel)).FirstOrDefault();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.ApplyConfigurationsFromAssembly(typeof(NetAutomationDb).Assembly);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => Conventions.Configure(configurationBuilder);
}

/// <summary>
/// The context under the <c>na_system</c> role, for work that belongs to no tenant yet or to all: look-up of keys and endpoints, claim,
/// reaper, reconcile, retention, the operator API. A test lists the classes that may use it.
/// </summary>
internal sealed class SystemDb(DbContextOptions<SystemDb> options) : NetAutomationDb(options);
