using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Tests.Execution;

/// <summary>Blocks that attack from inside a real sandbox, while another run works as ever.</summary>
[Trait("Requires", "sandbox")]
public sealed class SandboxAttackTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    // Says "hello" to its device and hands over what came back.
    private const string Greeting = """
        import socket, sys
        stream = socket.socket(socket.AF_UNIX)
        stream.connect("/run/link/sock")
        stream.sendall(sys.argv[1].encode() + b" 2222\n")
        assert stream.recv(1) == b"+"
        stream.sendall(b"hello")
        print('{"said": "%s"}' % stream.recv(5).decode())
        """;

    private const string Looking = """
        import json, os
        found = [path + "/" + name for path, _, files in os.walk("/") for name in files if name in ("block.yaml", "other-block.yml")]
        print(json.dumps({"content": os.listdir("/run/content"), "blocks": found, "own": sorted(os.listdir(os.path.dirname(__file__)))}))
        """;

    private readonly Attacks _attacks = new(fixture);

    [Fact]
    public async Task Flood_of_the_link_takes_its_own_streams_alone_and_they_come_back()
    {
        await _attacks.SkipUnlessPossible();
        using var device = new Echo();

        var attack = _attacks.Run(await File.ReadAllTextAsync(Attacks.Program("flood.py")), "{{ ansible_host }}", device.Dial);
        var (other, _) = await _attacks.Run(Greeting, "{{ ansible_host }}", device.Dial);
        var (result, diagnostics) = await attack;

        (other.Devices[0].Outcome, other.Devices[0].Contacted).ShouldBe((DeviceOutcome.Changed, true));
        Attacks.Result(other).GetProperty("said").GetString().ShouldBe("hello");
        var came = Attacks.Result(result, diagnostics);
        // One device: four streams, and eight connections that have not said what they want.
        came.GetProperty("accepted").GetInt32().ShouldBeInRange(1, 12);
        came.GetProperty("rounds").EnumerateArray().ShouldAllBe(four => four.GetBoolean());
        came.GetProperty("said").GetString().ShouldBe("hello");
    }

    [Fact]
    public async Task Content_of_another_block_is_nowhere_to_be_found()
    {
        await _attacks.SkipUnlessPossible();
        SandboxFixture.Write(Path.Combine(fixture.Block("[]\n"), "platforms"), "other-block.yml", "[]\n");

        var (result, events) = await _attacks.Run(Looking, "", (_, _) => Task.FromResult<Stream?>(null));

        var came = Attacks.Result(result, events);
        came.GetProperty("content").EnumerateArray().Select(name => name.GetString())
            .ShouldBe(fixture.Platforms.Keys, ignoreOrder: true);
        came.GetProperty("blocks").EnumerateArray().ShouldBeEmpty();
        came.GetProperty("own").EnumerateArray().Select(name => name.GetString()).ShouldBe(["attack.py", "frr.yml"]);
    }

    [Fact]
    public async Task System_calls_that_are_not_listed_answer_EPERM_and_foreign_ones_kill()
    {
        await _attacks.SkipUnlessPossible();

        var (result, events) =
            await _attacks.Run(await File.ReadAllTextAsync(Attacks.Program("syscalls.py")), "", (_, _) => Task.FromResult<Stream?>(null));

        var came = Attacks.Result(result, events);
        var list = File.ReadLines(Path.Combine(fixture.Options.AnsibleDirectory, "sandbox/syscalls"))
            .Select(line => line.Split('#')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 0).ToList();
        // The filter judges the arguments of these by itself.
        var listed = list.Select(words => words[0]).Concat(["clone", "clone3", "socket", "socketpair"])
            // uretprobe and uprobe: the kernel asks no filter for them, and ends whoever calls them by itself.
            .Concat(Names("answered").Intersect(["335", "336", "uretprobe", "uprobe"]));
        Names("answered").ShouldBe(listed.Distinct().Order(StringComparer.Ordinal));
        Names("noSuchCall").ShouldBe(["clone3"]);
        Names("survived").ShouldBeEmpty();
        Names("namespaces").ShouldBeEmpty();
        Numbers("families").ShouldBe([1, 2, 10]);
        Numbers("pairs").ShouldBe([1]);
        Numbers("protocols").ShouldBe([6, 17]);
        Names("requests").ShouldBe(
            list.Where(words => words.Length > 1 && words[1].Length == 6).Select(words => words[1]).Order(StringComparer.Ordinal));

        IEnumerable<int> Numbers(string member) => came.GetProperty(member).EnumerateArray().Select(number => number.GetInt32());

        IEnumerable<string> Names(string member) => came.GetProperty(member).EnumerateArray().Select(name => name.GetString()!);
    }

    /// <summary>A device that says what it hears.</summary>
    private sealed class Echo : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ConcurrentBag<TcpClient> _clients = [];

        public Echo()
        {
            _listener.Start();
            _ = Serve();
        }

        public Dial Dial => async (_, cancel) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(_listener.LocalEndpoint, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        };

        public void Dispose()
        {
            _listener.Dispose();
            foreach (var client in _clients)
            {
                client.Dispose();
            }
        }

        private async Task Serve()
        {
            while (_listener.Server.IsBound)
            {
                var client = await _listener.AcceptTcpClientAsync();
                _clients.Add(client);
                _ = Task.Run(async () =>
                {
                    using (client)
                    {
                        await client.GetStream().CopyToAsync(client.GetStream());
                    }
                });
            }
        }
    }
}
