namespace NetAutomation.Execution.Probe;

/// <summary>
/// Tests of single devices each have a sandbox in the process that was asked. It has so many of them at a time, and a tenant has a few;
/// further ones wait. The tenant with the fewest under way comes first, and of those the one that waits longest.
/// </summary>
internal sealed class TestTurns
{
    /// <summary>Of one tenant in one process.</summary>
    public const int AtATime = 8;

    /// <summary>Of all tenants in one process.</summary>
    public const int InAll = 24;
    private readonly Lock _gate = new();
    private readonly Dictionary<TenantId, int> _taken = [];
    private readonly List<Place> _waiting = [];

    /// <summary>Waits for a turn. Dispose it when the test is over.</summary>
    public async Task<IDisposable> Enter(TenantId tenant, CancellationToken cancel)
    {
        var place = new Place(tenant, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_gate)
        {
            _waiting.Add(place);
            Next();
        }

        try
        {
            await place.Turn.Task.WaitAsync(cancel);
            return new Turn(this, tenant);
        }
        catch (OperationCanceledException)
        {
            Leave(place);
            throw;
        }
    }

    private void Leave(Place place)
    {
        lock (_gate)
        {
            if (place.Turn.Task.IsCompleted)
            {
                Return(place.Tenant);
            }
            else
            {
                _waiting.Remove(place);
            }
        }
    }

    private void Return(TenantId tenant)
    {
        lock (_gate)
        {
            if (--_taken[tenant] == 0)
            {
                _taken.Remove(tenant);
            }

            Next();
        }
    }

    private void Next()
    {
        while (_taken.Values.Sum() < InAll
            && _waiting.Where(each => _taken.GetValueOrDefault(each.Tenant) < AtATime)
                .MinBy(each => _taken.GetValueOrDefault(each.Tenant)) is { } next)
        {
            _waiting.Remove(next);
            _taken[next.Tenant] = _taken.GetValueOrDefault(next.Tenant) + 1;
            next.Turn.SetResult();
        }
    }

    private sealed record Place(TenantId Tenant, TaskCompletionSource Turn);

    private sealed class Turn(TestTurns turns, TenantId tenant) : IDisposable
    {
        public void Dispose() => turns.Return(tenant);
    }
}
