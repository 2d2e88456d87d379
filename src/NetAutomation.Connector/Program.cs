using System.Net;
using NetAutomation.Connector;

var log = new ConnectorLog(Console.Error, TimeProvider.System);
try
{
    switch (args.FirstOrDefault())
    {
        case "join":
            return await JoinCommand.Run(
                new CommandLine(args, "--endpoint", "--server-name", "--ca", "--token-file", "--state", "--address"), Console.In, log,
                default);
        case "run":
            return await RunCommand.Run(
                new CommandLine(
                    args, "--state", "--allow-list", "--links", "--drain-seconds", "--device-sessions", "--device-rate", "--rate"), log,
                    default);
        case "doctor":
            return await DoctorCommand.Run(
                new CommandLine(args, "--state", "--allow-list", "--device*", "--devices?", "--json?"), Console.Out, default);
        case "check":
            var check = new CommandLine(args, "--allow-list");
            if (check.Operands is not [var target] || !IPEndPoint.TryParse(target, out var device) || device.Port == 0)
            {
                throw new UsageException("check takes one IP:PORT");
            }

            var allowed = AllowList.Load(check["--allow-list"]).Allows(device.Address, device.Port, DeviceSockets.OwnAddresses());
            Console.WriteLine(allowed ? "allowed" : "denied");
            return allowed ? 0 : 1;
        case "verify-receipts":
            return await VerifyReceiptsCommand.Run(
                new CommandLine(args, "--from", "--head"), Console.OpenStandardInput(), Console.Out, default);
        case "version" or "--version":
            Console.WriteLine(ConnectorVersion.Text);
            return 0;
        case "--help" or "-h" or "help":
            Console.WriteLine(CommandLine.Help);
            return 0;
        default:
            Console.Error.WriteLine(CommandLine.Help);
            return 2;
    }
}
catch (UsageException e)
{
    Console.Error.WriteLine($"{e.Message}\n\n{CommandLine.Help}");
    return 2;
}
catch (Exception e) when (
    e is RefusedException or HttpRequestException or IOException or UnauthorizedAccessException or InvalidOperationException
        or FormatException or InvalidDataException)
{
    log.Warn(ConnectorLog.Explain(e));
    return 1;
}
