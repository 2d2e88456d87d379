using System.Diagnostics;

namespace NetAutomation.Persistence;

/// <summary>How long one transaction may take. A statement that began before the end goes on as long as statements may.</summary>
internal sealed class TransactionTime(TimeSpan longest)
{
    private readonly long _begun = Stopwatch.GetTimestamp();

    /// <exception cref="TransactionTooLongException">The time is over.</exception>
    public void Check()
    {
        if (Stopwatch.GetElapsedTime(_begun) > longest)
        {
            throw new TransactionTooLongException(longest);
        }
    }
}

/// <summary>A transaction took longer than it may; it is rolled back.</summary>
internal sealed class TransactionTooLongException(TimeSpan longest)
    : Exception($"It takes more than {longest.TotalSeconds:0} seconds to do this in one request: ask for less at a time.");
