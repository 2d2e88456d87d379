using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Web.Rates;

/// <summary>A limit on how often or how much at a time, and how much of it is used in this process.</summary>
/// <param name="WindowSeconds">In which as much becomes free again; null for what is under way at a time.</param>
internal sealed record RateUse(string Name, long Max, long Used, string Unit, int? WindowSeconds);

/// <summary>
/// The rates of this process, in memory: looking at them costs no database. Whoever is refused here is told when to come back, and is
/// counted.
/// </summary>
internal sealed class RateLimits(
    IOptions<RatesOptions> options, IOptions<DatabaseOptions> database, TimeProvider clock, LimitMetrics metrics)
{
    private const string DatabaseConnections = "database_connections";
    private readonly TokenBuckets<string> _endpoints = new("endpoint_requests", options.Value.Endpoint, clock);
    private readonly TokenBuckets<TenantId> _tenants = new("tenant_requests", options.Value.Tenant, clock);
    private readonly TokenBuckets<(TenantId Tenant, string Hash)> _keys = new("key_requests", options.Value.Key, clock);
    private readonly TokenBuckets<string> _failures = new("failed_authentications", options.Value.FailedAuthentications, clock);
    private readonly TokenBuckets<(Listener, string)> _connections = new("endpoint_connections", options.Value.Connections, clock);
    private readonly TokenBuckets<string> _connectors = new("connector_requests", options.Value.Endpoint, clock);
    private readonly TokenBuckets<string> _challenges = new("connector_challenges", options.Value.Challenges, clock);
    private readonly TokenBuckets<string> _visitors = new("visitor_requests", options.Value.Visitors, clock);
    private readonly TokenBuckets<TenantId> _steps = new("evaluation_steps", options.Value.EvaluationSteps, clock);
    private readonly ConcurrentDictionary<TenantId, TenantUse> _uses = new();

    // Of the pool, a quarter stays for what is no request of a customer, and connectors that are not attached yet have half of that.
    private readonly DatabaseShare _requests = new(Math.Max(database.Value.MostConnections * 3 / 4, 1));
    private readonly DatabaseShare _arriving = new(Math.Max(database.Value.MostConnections / 8, 1));

    /// <summary>A connection to a listener through an endpoint; null where it may go on.</summary>
    public Problem? Connection(Listener listener, string endpoint) => Take(_connections.Of((listener, endpoint)), _connections.Name);

    /// <summary>A request through an endpoint; null where it may go on.</summary>
    public Problem? Endpoint(HttpContext context, string endpoint) => Take(context, _endpoints, endpoint);

    /// <summary>A request through an endpoint of this tenant.</summary>
    public Problem? Tenant(HttpContext context, TenantId tenant) => Take(context, _tenants, tenant);

    /// <summary>A request of a connector that is not attached; null where it may go on. Customers' requests take nothing from it.</summary>
    public Problem? Connector(string endpoint) => Take(_connectors.Of(endpoint), _connectors.Name);

    /// <summary>A connector behind an endpoint asks for a challenge; null where it may have one.</summary>
    public Problem? Challenge(string endpoint) => Take(_challenges.Of(endpoint), _challenges.Name);

    /// <summary>A request of an address that proves nothing.</summary>
    public Problem? Visitor(HttpContext context) => Take(_visitors.Of(Address(context)), _visitors.Name);

    /// <summary>
    /// Before a key is looked up. One that was right lately for the endpoint's tenant takes from its own bucket. Any other, also a key of
    /// another tenant, takes from those for failures of its endpoint, until <see cref="Proven"/> gives that back, so that guesses cost a
    /// bounded number of look-ups.
    /// </summary>
    /// <param name="tenant">The endpoint's.</param>
    /// <param name="hash">Of the key; null where the request has none.</param>
    public Problem? Attempt(HttpContext context, TenantId tenant, string endpoint, string? hash) =>
        hash is not null && _keys.Find((tenant, hash)) is not null
            ? Take(context, _keys, (tenant, hash)) : Take(context, _failures, endpoint);

    /// <summary>The key is right.</summary>
    public Problem? Proven(HttpContext context, TenantId tenant, string endpoint, string hash)
    {
        if (RateFields.Of(context).Buckets.Any(each => each.Name == _keys.Name))
        {
            return null;
        }

        _failures.Of(endpoint).Return(1);
        RateFields.Of(context).Remove(_failures.Name);
        return Take(context, _keys, (tenant, hash));
    }

    /// <summary>The key is not right, or not any more.</summary>
    public void Refuted(TenantId tenant, string? hash)
    {
        if (hash is not null)
        {
            _keys.Remove((tenant, hash));
        }
    }

    /// <summary>A failed authentication at a listener without endpoints.</summary>
    public Problem? Failed(HttpContext context) => Take(_failures.Of(Address(context)), _failures.Name);

    /// <summary>
    /// Steps of an evaluation as they are taken; null where the tenant had them left. What a refused request took is lost, and nobody knows
    /// how much it needs: it is to come back when there is as much as any request may take.
    /// </summary>
    public Problem? Evaluate(HttpContext context, TenantId tenant, long steps)
    {
        var bucket = _steps.Of(tenant);
        RateFields.Of(context).Add(_steps.Name, bucket);
        return bucket.Take(steps, out _) ? null : Refusal(_steps.Name, bucket.Rate.Burst, bucket.Until(Evaluations.RequestSteps));
    }

    /// <summary>What the tenant has under way in this process.</summary>
    public TenantUse UseOf(TenantId tenant) => _uses.GetOrAdd(tenant, _ => new TenantUse(options.Value, _requests, _arriving));

    /// <summary>The refusal of one more at a time.</summary>
    public Problem Full(AtATime kind) => Refusal(Wire.Name(kind), options.Value.Most(kind), TimeSpan.FromSeconds(1));

    /// <summary>The refusal of a request that found no database connection free, of its tenant's or of all.</summary>
    public Problem NoConnection(NoConnectionException none)
    {
        if (none.OfTenant)
        {
            return Refusal(DatabaseConnections, options.Value.DatabaseConnections, TimeSpan.FromSeconds(1));
        }

        metrics.Refused("all_database_connections");
        return new(Problems.Unavailable) { RetryAfter = TimeSpan.FromSeconds(1) };
    }

    /// <summary>The limits of a tenant, those of its buckets as this request through an endpoint found them.</summary>
    public IEnumerable<RateUse> Show(HttpContext context, TenantId tenant, string endpoint)
    {
        var use = UseOf(tenant);
        (string, TokenBucket)[] others = [(_failures.Name, _failures.Of(endpoint)), (_steps.Name, _steps.Of(tenant))];
        foreach (var (name, bucket) in RateFields.Of(context).Buckets.Concat(others))
        {
            yield return new(
                name, bucket.Rate.Burst, bucket.Rate.Burst - bucket.State.Left, name == _steps.Name ? "step" : "request",
                bucket.Rate.WindowSeconds);
        }

        foreach (var kind in Enum.GetValues<AtATime>())
        {
            yield return new(Wire.Name(kind), options.Value.Most(kind), use.Used(kind), "request", null);
        }

        yield return new(DatabaseConnections, options.Value.DatabaseConnections, use.Connections.Used, "connection", null);
    }

    private static string Address(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    private Problem? Take<TKey>(HttpContext context, TokenBuckets<TKey> buckets, TKey key)
        where TKey : notnull
    {
        var bucket = buckets.Of(key);
        RateFields.Of(context).Add(buckets.Name, bucket);
        return Take(bucket, buckets.Name);
    }

    private Problem? Take(TokenBucket bucket, string name, long tokens = 1) =>
        bucket.Take(tokens, out var wait) ? null : Refusal(name, bucket.Rate.Burst, wait);

    private Problem Refusal(string name, long max, TimeSpan wait)
    {
        metrics.Refused(name);
        return new Problem(Problems.RateLimited, $"The limit {name} is {max}, and all are used.")
        {
            RetryAfter = wait > TimeSpan.FromSeconds(1) ? wait : TimeSpan.FromSeconds(1),
            Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["limit"] = name, ["max"] = max },
        };
    }
}
