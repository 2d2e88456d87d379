using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Web.Loops;

/// <summary>
/// One of all processes leads: the one whose session holds a lock in the database. Another takes over where it ends, or where it hangs
/// for so long that the server ends its session.
/// </summary>
internal sealed class Leadership(IOptions<DatabaseOptions> options) : IAsyncDisposable
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Well above the interval, so that a slow database changes no leader.
    private const string LongestSilence = "15s";

    // Without a pool, which would keep a session and the lock with it after this process has given it up.
    private readonly NpgsqlDataSource _database = NpgsqlDataSource.Create($"{options.Value.System};Pooling=false;Command Timeout=10");
    private volatile TaskCompletionSource<NpgsqlConnection> _session = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits until this process leads.</summary>
    public Task Wait(CancellationToken cancel) => _session.Task.WaitAsync(cancel);

    /// <summary>Takes the lock where no process has it, and shows the server that this process lives where it has it.</summary>
    public async Task Renew(CancellationToken cancel)
    {
        var held = _session.Task.IsCompleted ? await _session.Task : null;
        var session = held ?? await _database.OpenConnectionAsync(cancel);
        var leads = false;
        try
        {
            await using var ask = new NpgsqlCommand(
                held is not null
                    ? "select true"
                    : $"""
                      select pg_try_advisory_lock({(long)AdvisoryLock.Lead})
                        and set_config('idle_session_timeout', '{LongestSilence}', false) is not null
                      """,
                session);
            leads = await ask.ExecuteScalarAsync(cancel) is true;
        }
        finally
        {
            if (leads)
            {
                _session.TrySetResult(session);
            }
            else
            {
                _session = held is null ? _session : new(TaskCreationOptions.RunContinuationsAsynchronously);
                await session.DisposeAsync();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await (_session.Task.IsCompleted ? (await _session.Task).DisposeAsync() : default);
        await _database.DisposeAsync();
    }
}
