using NetAutomation.Execution.Sandbox;
using NetAutomation.Persistence;
using NetAutomation.Runs;

namespace NetAutomation.Execution.Probe;

/// <summary>What a worker does for tests of devices: takes one, tests its next devices, gives it back.</summary>
internal sealed partial class TestLeased(Journals journals, RunSignals signals, TimeProvider clock, ILogger<TestLeased> log)
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan _poll = TimeSpan.FromSeconds(1);
    private bool _more;

    public async Task Run(CancellationToken cancel)
    {
        _more = false;
        if (signals.Leaving || await Use(queue => queue.Lease(cancel)) is not { } test)
        {
            return;
        }

        _more = true;
        IReadOnlyList<TestedDevice> results = [];
        try
        {
            results = await Test(test, cancel);
        }
        finally
        {
            // Where the process leaves, another one goes on with the same devices.
            await Use(async queue =>
            {
                await queue.Record(test, results, CancellationToken.None);
                return true;
            });
        }
    }

    /// <summary>Until there may be something to do. Tests are too rare for a doorbell of their own.</summary>
    public Task Wait(CancellationToken cancel) => _more ? Task.CompletedTask : Task.Delay(_poll, clock, cancel);

    private async Task<IReadOnlyList<TestedDevice>> Test(LeasedTest test, CancellationToken cancel)
    {
        var devices = await Use(queue => queue.Next(test, cancel));
        var by = new Tester(test.TenantId, $"{test.CreatedBy}", test.Member, test.EndpointId);
        try
        {
            return await journals.Use<DeviceTester, IReadOnlyList<TestedDevice>>(
                tester => tester.Test(by, devices, alone: false, _limit, cancel));
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested && !Outage.Is(fault))
        {
            // Otherwise it would be tried again for as long as the test may last.
            Log.Failed(log, fault, test.Id);
            return [.. devices.Select(device => new TestedDevice(
                device, false, null, DeviceCode.InternalError, Message: "The service failed; test the device again."))];
        }
    }

    private Task<T> Use<T>(Func<DeviceTestQueue, Task<T>> work) => journals.Use(work);

    private static partial class Log
    {
        [LoggerMessage(810, LogLevel.Error, "Devices of test {Test} could not be tested")]
        public static partial void Failed(ILogger logger, Exception exception, DeviceTestId test);
    }
}
