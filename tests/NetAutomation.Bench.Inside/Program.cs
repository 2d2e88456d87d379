using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NetAutomation.Bench.Inside;
using NetAutomation.Tunnel;

// Programs that benches start beside the product's:
//   relay LISTEN:TARGET...             TCP from one port of loopback to another, with the tunnel's own copying
//   connectors PORT SERVER-NAME CA FOLDER TOKENS    a connector for every line of the file of join tokens
switch (args)
{
    case ["relay", .. var pairs]:
        await Relay([.. pairs.Select(pair => Array.ConvertAll(pair.Split(':'), part => int.Parse(part, CultureInfo.InvariantCulture)))]);
        return 0;
    case ["connectors", var port, var server, var ca, var folder, var tokens]:
        await ManyConnectors.Run(port, server, ca, folder, tokens);
        return 0;
    default:
        return 2;
}

static async Task Relay(int[][] pairs)
{
    var listeners = pairs.Select(pair => (Listener: new TcpListener(IPAddress.Loopback, pair[0]), Target: pair[1])).ToList();
    listeners.ForEach(each => each.Listener.Start(1024));
    await Console.Out.WriteLineAsync("ready");
    await Task.WhenAll(listeners.Select(async each =>
    {
        while (true)
        {
            _ = Pass(await each.Listener.AcceptTcpClientAsync(), each.Target);
        }
    }));
}

static async Task Pass(TcpClient near, int target)
{
    using (near)
    using (var far = new TcpClient { NoDelay = true })
    {
        near.NoDelay = true;
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, target);
            await Task.WhenAll(Copy(near, far), Copy(far, near));
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Reset on one side; closing both is all a relay can do.
        }
    }
}

static async Task Copy(TcpClient from, TcpClient to)
{
    try
    {
        await StreamPump.Copy(from.GetStream(), to.GetStream(), CancellationToken.None);
        to.Client.Shutdown(SocketShutdown.Send);
    }
    catch
    {
        from.Close();
        to.Close();
        throw;
    }
}
