namespace NetAutomation.Tunnel;

/// <summary>Time limits of calls.</summary>
public static class Deadlines
{
    /// <summary>Cancelled with this token, or after the limit. Dispose it.</summary>
    public static CancellationTokenSource Within(this CancellationToken cancel, TimeSpan limit)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        source.CancelAfter(limit);
        return source;
    }
}
