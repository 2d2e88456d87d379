using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>
/// While a run goes on: renews its lease and its permit, and looks for a cancel. A refused renewal kills the run at once; a database
/// that cannot be reached does not, since nobody else can be given the run then.
/// </summary>
internal sealed class RunWatch(ClaimedRun run, SandboxRun sandbox, DeviceDialler dialler, IServiceScopeFactory scopes, TimeProvider clock, TimeSpan cancelGrace) : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(10);
    private readonly CancellationTokenSource _over = new();

    /// <summary>The fence has moved on: another worker holds the run.</summary>
    public bool Lost { get; private set; }

    /// <summary>The run was stopped because a cancel was asked for.</summary>
    public bool Cancelled { get; private set; }

    public Task Over() => _over.CancelAsync();

    public void Dispose() => _over.Dispose();

    public async Task Watch()
    {
        using var timer = new PeriodicTimer(Look, clock);
        var renewed = clock.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token))
            {
                try
                {
                    await using var scope = scopes.CreateAsyncScope();
                    var journal = scope.ServiceProvider.GetRequiredService<RunJournal>();
                    if (clock.GetElapsedTime(renewed) >= Renewal)
                    {
                        renewed = clock.GetTimestamp();
                        dialler.Permit(run.Tenant, run.Id, run.Fence);
                        Lost = !await journal.Renew(run, _over.Token);
                    }

                    if (!Lost && !await journal.CancelRequested(run, _over.Token))
                    {
                        continue;
                    }
                }
                catch (Npgsql.NpgsqlException)
                {
                    continue;
                }

                Cancelled = !Lost;
                await sandbox.Stop(Lost ? TimeSpan.Zero : cancelGrace);
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
