using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Web.Loops;

/// <summary>
/// One of all processes leads: the one whose session holds a lock in the database. Another takes over where it ends, or where it hangs
/// for so long that the server ends its session.
/// </summary>
internal sealed class Leadership([FromKeyedServices("system")] NpgsqlDataSource database) : IAsyncDisposable
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Well above the interval, so that a slow database changes no leader.
    private const string LongestSilence = "15s";
    private volatile TaskCompletionSource _leads = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NpgsqlConnection? _session;

    /// <summary>Waits until this process leads.</summary>
    public Task Wait(CancellationToken cancel) => _leads.Task.WaitAsync(cancel);

    /// <summary>Takes the lock where no process has it, and shows the server that this process lives where it has it.</summary>
    public async Task Renew(CancellationToken cancel)
    {
        var (session, leads) = (_session ?? await database.OpenConnectionAsync(cancel), false);
        try
        {
            await using var ask = new NpgsqlCommand(
                _session is not null ? "select true" : $"select pg_try_advisory_lock({(long)AdvisoryLock.Lead})", session);
            leads = await ask.ExecuteScalarAsync(cancel) is true;
            if (leads && _session is null)
            {
                await using var limit = new NpgsqlCommand($"set idle_session_timeout = '{LongestSilence}'", session);
                await limit.ExecuteNonQueryAsync(cancel);
                _session = session;
                _leads.TrySetResult();
            }
        }
        finally
        {
            if (_session is null || !leads)
            {
                _session = null;
                await session.DisposeAsync();
            }

            if (!leads && _leads.Task.IsCompleted)
            {
                _leads = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    public ValueTask DisposeAsync() => _session?.DisposeAsync() ?? default;
}
