using System.Runtime.InteropServices;
using NetAutomation.Cli;

using var ending = new CancellationTokenSource();
void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    ending.Cancel();
}

using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
try
{
    return await Commands.Run(args, ending.Token);
}
catch (OperationCanceledException) when (ending.IsCancellationRequested)
{
    return 1;
}
