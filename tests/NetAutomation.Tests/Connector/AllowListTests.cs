using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NetAutomation.Connector;

namespace NetAutomation.Tests.Connector;

public sealed class AllowListTests
{
    private static readonly IPAddress[] _own = [IPAddress.Parse("10.0.0.9"), IPAddress.Parse("2001:db8::9")];

    [Fact]
    public void Empty_list_denies_everything()
    {
        var list = AllowList.Parse("# nothing\n\n");
        list.Allows(IPAddress.Parse("10.0.0.1"), 22, []).ShouldBeFalse();
    }

    [Theory]
    [InlineData("10.0.0.1", 22, true)]
    [InlineData("10.255.0.1", 830, true)]
    [InlineData("10.0.0.1", 23, false)]
    [InlineData("11.0.0.1", 22, false)]
    [InlineData("::ffff:10.0.0.1", 22, true)]
    [InlineData("2001:db8::1", 22, true)]
    [InlineData("2001:db8:1::1", 22, false)]
    [InlineData("10.0.0.9", 22, false)]
    [InlineData("::ffff:10.0.0.9", 22, false)]
    [InlineData("2001:db8::9", 22, false)]
    public void Listed_networks_and_ports_are_reached_and_nothing_else(string address, int port, bool allowed) =>
        AllowList.Parse("10.0.0.0/8 22,830 # edge\n2001:db8::/48\t22\n").Allows(IPAddress.Parse(address), port, _own).ShouldBe(allowed);

    [Fact]
    public void Exact_entry_opens_one_forbidden_address_on_its_port_alone()
    {
        var list = AllowList.Parse("127.0.0.2/32 22\n10.0.0.9 22\n::1/128 22");
        list.Allows(IPAddress.Parse("127.0.0.2"), 22, []).ShouldBeTrue();
        list.Allows(IPAddress.Parse("127.0.0.2"), 23, []).ShouldBeFalse();
        list.Allows(IPAddress.Parse("127.0.0.3"), 22, []).ShouldBeFalse();
        list.Allows(IPAddress.Parse("10.0.0.9"), 22, _own).ShouldBeTrue();
        list.Allows(IPAddress.IPv6Loopback, 22, []).ShouldBeTrue();
    }

    [Theory]
    [InlineData("10.0.0.0/8")]
    [InlineData("10.0.0.0/8 0")]
    [InlineData("10.0.0.0/8 65536")]
    [InlineData("10.0.0.0/8 22;23")]
    [InlineData("10.0.0.0/8 22 23")]
    [InlineData("10.0.0.1/8 22")]
    [InlineData("010.0.0.0/8 22")]
    [InlineData("0x0a.0.0.0/8 22")]
    [InlineData("10/8 22")]
    [InlineData("10.0.0.0/33 22")]
    [InlineData("router.example 22")]
    [InlineData("::ffff:10.0.0.0/104 22")]
    [InlineData("* 22")]
    public void Line_that_could_be_misread_is_a_fault(string line) => Should.Throw<FormatException>(() => AllowList.Parse(line));

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        var fault = Should.Throw<FormatException>(() => AllowList.Parse("x\n10.0.0.0/8 22\ny"));
        fault.Message.ShouldContain("line 1");
        fault.Message.ShouldContain("line 3");
    }

    [Fact]
    public async Task No_encoding_of_a_forbidden_address_is_reached_though_every_network_is_listed()
    {
        var connections = 0;
        using var listener = new TcpListener(IPAddress.IPv6Any, 0);
        listener.Server.DualMode = true;
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        _ = Count(listener, () => Interlocked.Increment(ref connections));
        var everything = AllowList.Parse($"0.0.0.0/0 {port}\n::/0 {port}");
        var corpus = Corpus().Distinct(StringComparer.Ordinal).ToList();
        corpus.Count.ShouldBeGreaterThan(200);
        // Addresses that a hostile or rebinding name server may answer for any name.
        var answers =
            new Queue<string>(
                corpus.Where(
                    c => IPAddress.TryParse(c, out var a) && (a.AddressFamily == AddressFamily.InterNetworkV6 || a.ToString() == c)));
        var dialler = new DeviceSockets(
            everything,
            new DeviceLimits(10_000, 10_000, 10_000, TimeProvider.System),
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse(answers.Count > 0 ? answers.Dequeue() : "127.0.0.1")]),
            DeviceSockets.OwnAddresses,
            TimeProvider.System);
        foreach (var host in corpus.Concat(Enumerable.Range(0, corpus.Count).Select(i => $"name{i}.example")))
        {
            var (socket, _, code) = await dialler.Connect(host, port, TimeSpan.FromSeconds(2), default);
            socket?.Dispose();
            (host, code).ShouldBe((host, "not-allowed"));
        }

        Volatile.Read(ref connections).ShouldBe(0);
    }

    [Fact]
    public async Task Name_is_resolved_once_and_that_address_is_dialled()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var asked = 0;
        var dialler = new DeviceSockets(
            AllowList.Parse($"127.0.0.1/32 {port}"),
            new DeviceLimits(1, 1, 1, TimeProvider.System),
            (_, _) => Task.FromResult<IPAddress[]>([asked++ == 0 ? IPAddress.Loopback : IPAddress.Parse("169.254.169.254")]),
            () => [],
            TimeProvider.System);
        var (socket, _, _) = await dialler.Connect("router.example", port, TimeSpan.FromSeconds(5), default);
        socket.ShouldNotBeNull();
        ((IPEndPoint)socket.RemoteEndPoint!).Address.ShouldBe(IPAddress.Loopback);
        socket.Dispose();
        asked.ShouldBe(1);
    }

    private static async Task Count(TcpListener listener, Action seen)
    {
        try
        {
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync();
                seen();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static IEnumerable<string> Corpus()
    {
        string[] addresses =
        [
            "127.0.0.1", "127.255.255.254", "127.0.1.1", "0.0.0.0", "0.0.0.1", "169.254.169.254", "169.254.170.2", "169.254.0.1",
            "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        ];
        foreach (var text in addresses)
        {
            var b = IPAddress.Parse(text).GetAddressBytes();
            var number = ((uint)b[0] << 24) | ((uint)b[1] << 16) | ((uint)b[2] << 8) | b[3];
            var low = number & 0xffffff;
            var hex = $"{b[0]:x2}{b[1]:x2}:{b[2]:x2}{b[3]:x2}";
            yield return text;
            yield return number.ToString(CultureInfo.InvariantCulture);
            yield return $"0x{number:x}";
            yield return $"0X{number:X8}";
            yield return $"0{Convert.ToString(number, 8)}";
            yield return $"{b[0]}.{low}";
            yield return $"{b[0]}.{b[1]}.{number & 0xffff}";
            yield return $"0x{b[0]:x}.0x{b[1]:x}.0x{b[2]:x}.0x{b[3]:x}";
            yield return string.Join('.', b.Select(o => $"0{Convert.ToString(o, 8)}"));
            yield return string.Join('.', b.Select(o => $"{o:000}"));
            yield return $"0x{b[0]:x}.{b[1]}.0{Convert.ToString(b[2], 8)}.{b[3]}";
            yield return $"::ffff:{text}";
            yield return $"::FFFF:{hex}";
            yield return $"0:0:0:0:0:ffff:{hex}";
            yield return $"0000:0000:0000:0000:0000:ffff:{text}";
            yield return $"::{text}";
            yield return $"::ffff:0:{text}";
            yield return $"64:ff9b::{text}";
            yield return $"64:ff9b:1::{hex}";
            yield return $"2002:{hex}::1";
            yield return $"2001:0:{hex}::1";
            yield return $"fe80::5efe:{hex}";
            yield return $"2001:db8::5efe:{hex}";
            yield return $"2001:db8::200:5efe:{hex}";
            yield return $"[{text}]";
        }

        foreach (
            var six in (string[])[
                "::1", "::", "0:0:0:0:0:0:0:1", "::0001", "[::1]", "fe80::1", "fe80::1%1", "::1%1", "febf::1", "fec0::1", "ff02::1",
                "ff05::2", "fd00:ec2::254", "fd00:0ec2:0000::0254", "fd20:ce::254"])
        {
            yield return six;
        }

        foreach (var own in DeviceSockets.OwnAddresses())
        {
            yield return $"{own}";
            yield return own.AddressFamily == AddressFamily.InterNetwork ? $"::ffff:{own}" : $"[{own}]";
        }
    }
}
