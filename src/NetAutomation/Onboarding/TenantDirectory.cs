using System.Collections.Concurrent;
using NetAutomation.Onboarding.Keys;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding;

/// <summary>The holder of an API key.</summary>
/// <param name="Suspended">True where only reads and cancels are allowed.</param>
internal sealed record KeyHolder(TenantId Tenant, ApiKeyId Key, string Member, MemberRole Role, bool Suspended);

/// <summary>What an endpoint is bound to. An endpoint bound anew has another binding.</summary>
internal sealed record EndpointBinding(Guid Id, TenantId Tenant);

/// <summary>
/// Which tenant an endpoint or a key names now. The database is asked; answers are kept for less than a second, so a binding or key that
/// ends is refused within one.
/// </summary>
internal sealed class TenantDirectory(IServiceScopeFactory scopes, TimeProvider time)
{
    private static readonly TimeSpan _fresh = TimeSpan.FromMilliseconds(900);
    private readonly Recent<EndpointBinding?> _endpoints = new(time, _fresh);
    private readonly Recent<KeyHolder?> _keys = new(time, _fresh);

    /// <summary>Told of endpoints that connected and are bound to no tenant; a reconcile may have missed them.</summary>
    public Action<string>? Unbound { get; init; }

    /// <summary>Null where the endpoint is bound to no tenant that may call.</summary>
    public ValueTask<EndpointBinding?> ByEndpoint(string endpointId, CancellationToken cancel) => _endpoints.Get(endpointId, async () =>
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<Found>(
            $"""
            select b.id, t.tenant_id from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.endpoint_id = {endpointId} and b.ended_at is null and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            CancellationToken.None);
        if (rows is [var row])
        {
            return new EndpointBinding(row.Id, new TenantId(row.TenantId));
        }

        Unbound?.Invoke(endpointId);
        return null;
    }, cancel);

    /// <summary>Which of these endpoints are bound to a tenant that may call, by which binding. Never an answer of before.</summary>
    public async Task<Dictionary<string, Guid>> Bindings(string[] endpoints, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<Alive>(
            $"""
            select b.endpoint_id, b.id from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.endpoint_id = any ({endpoints}) and b.ended_at is null and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            cancel);
        return rows.ToDictionary(row => row.EndpointId, row => row.Id, StringComparer.Ordinal);
    }

    /// <summary>Null where the key is unknown or revoked, or its tenant may not call.</summary>
    public ValueTask<KeyHolder?> ByKey(string key, CancellationToken cancel)
    {
        var hash = KeySecret.Hash(key);
        return _keys.Get(Convert.ToHexString(hash), async () =>
        {
            await using var scope = scopes.CreateAsyncScope();
            var rows = await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<FoundKey>(
                $"""
                with used as (
                  update onboarding.api_key set last_used_at = now()
                  where sha256 = {hash} and revoked_at is null and (last_used_at is null or last_used_at < now() - interval '1 minute')
                )
                select k.tenant_id, k.id, k.member, k.role, t.state <> 'active' as suspended
                from onboarding.api_key k join onboarding.tenant t using (tenant_id)
                where k.sha256 = {hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and (t.state in ('active', 'suspended') or t.reads_until > now())
                """,
                CancellationToken.None);
            return rows is [var row] ? new KeyHolder(new(row.TenantId), new(row.Id), row.Member, row.Role, row.Suspended) : null;
        }, cancel);
    }

    /// <summary>Forgets every answer, after a change made by this process.</summary>
    public void Forget()
    {
        _endpoints.Clear();
        _keys.Clear();
    }

    private sealed record Found(Guid Id, Guid TenantId);

    private sealed record Alive(string EndpointId, Guid Id);

    private sealed record FoundKey(Guid TenantId, Guid Id, string Member, MemberRole Role, bool Suspended);

    private sealed class Recent<T>(TimeProvider time, TimeSpan fresh)
    {
        private const int Most = 20_000;
        private readonly ConcurrentDictionary<string, Asked> _answers = new(StringComparer.Ordinal);

        /// <summary>Whoever asks while the database has not answered yet waits for the same answer.</summary>
        public ValueTask<T> Get(string name, Func<Task<T>> read, CancellationToken cancel)
        {
            // Taken before the read: an answer is as old as its question.
            var now = time.GetTimestamp();
            while (true)
            {
                var known = _answers.GetValueOrDefault(name);
                if (known is not null && time.GetElapsedTime(known.At, now) < fresh)
                {
                    return new(known.Answer.Task.WaitAsync(cancel));
                }

                if (_answers.Count >= Most)
                {
                    _answers.Clear();
                }

                var asked = new Asked(now);
                if (known is null ? _answers.TryAdd(name, asked) : _answers.TryUpdate(name, asked, known))
                {
                    return Ask(name, asked, read);
                }
            }
        }

        public void Clear() => _answers.Clear();

        private async ValueTask<T> Ask(string name, Asked asked, Func<Task<T>> read)
        {
            try
            {
                var value = await read();
                asked.Answer.SetResult(value);
                return value;
            }
            catch (Exception fault)
            {
                _answers.TryRemove(new(name, asked));
                asked.Answer.SetException(fault);
                _ = asked.Answer.Task.Exception;
                throw;
            }
        }

        private sealed class Asked(long at)
        {
            public long At => at;

            public TaskCompletionSource<T> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
