using System.Diagnostics;
using System.Text.Json;

namespace NetAutomation.Bench;

/// <summary>
/// The block static-routes, four routes, on real FRR routers: once as a customer's run, from POST until it is settled, through load
/// balancer, database, sandbox, tunnel and connector; once by the stock ansible-playbook with its defaults in the routers' own network,
/// with the same playbook; and once as the bare SSH sessions that push the same lines. Each side has routes of its own, which it adds in
/// one round and removes in the next.
/// <para>On imitations of a vendor's devices, all in one process, the stock command plays the vendor's own module for the same task, with
/// its persistent connections. The module neither reads back, verifies nor saves; the block does.</para>
/// </summary>
internal sealed class RunOnRouters : IDisposable
{
    private const string Product = "product";
    private const string Stock = "stock";
    private const string Ssh = "ssh";

    // Exit codes of ansible-playbook.
    private const int HostsFailed = 2;
    private const int HostsUnreachable = 4;
    private static readonly string[] _sides = [Product, Stock, Ssh];
    private readonly LocalProduct _product;
    private readonly RunTask _task;
    private readonly string _repository;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-bench-");
    private readonly Dictionary<string, CpuAccount> _cpu =
        _sides.ToDictionary(side => side, side => new CpuAccount(side), StringComparer.Ordinal);
    private readonly Dictionary<string, int> _turns = _sides.ToDictionary(side => side, _ => 0, StringComparer.Ordinal);

    private int _stockLost;

    private RunOnRouters(LocalProduct product, string repository, RunTask task)
    {
        (_product, _repository, _task) = (product, repository, task);
        Directory.CreateDirectory($"{_folder.FullName}/.ssh");
        File.WriteAllLines(
            $"{_folder.FullName}/.ssh/known_hosts",
            product.Routers.Select(router => $"{router.Address} {string.Join(' ', router.HostKey.Split(' ').Take(2))}"));
        product.AddTo(_cpu[Product]);
    }

    /// <summary>Wall and CPU time with this number of devices, at most a hundred.</summary>
    public static Func<Stack, Task<Result>> With(int devices, double wallLimit, double? cpuLimit = null) => async stack =>
    {
        await using var product = await LocalProduct.Start(stack.Parts.Repository, devices);
        using var bench = new RunOnRouters(product, stack.Parts.Repository, RunTask.Routers);
        return await bench.Compare($"run-{devices}", stack.Parts.Rounds, wallLimit, cpuLimit);
    };

    /// <summary>Wall and CPU time on this number of imitation devices, at most two hundred.</summary>
    public static Func<Stack, Task<Result>> OnImitations(RunTask task, int devices, double wallLimit) => async stack =>
    {
        await using var product = await LocalProduct.Start(stack.Parts.Repository, 1, devices);
        await product.Imitate(task.Platform, devices, task.Block);
        using var bench = new RunOnRouters(product, stack.Parts.Repository, task);
        await bench.Run();
        await bench.Playbook();
        await bench.MustAgree();
        return await bench.Compare($"run-{devices}-{task.Platform}", stack.Parts.Rounds, wallLimit, cpuLimit: null);
    };

    /// <summary>From POST to the first task on a device, and from the command to its first task.</summary>
    public static async Task<Result> Overhead(Stack stack)
    {
        await using var product = await LocalProduct.Start(stack.Parts.Repository, 1);
        using var bench = new RunOnRouters(product, stack.Parts.Repository, RunTask.Routers);
        await bench.Run();
        var rounds =
            await Rounds.Measure(
                "run-overhead", stack.Parts.Rounds, (Product, async () => (await bench.Run()).FirstTask),
                (Stock, async () => (await bench.Playbook()).FirstTask));
        var ratio = rounds.Ratio(Product, Stock);
        return new Result("run-overhead", ratio <= 1,
        [
            new("productSeconds", Math.Round(rounds.Median(Product), 3)), new("stockSeconds", Math.Round(rounds.Median(Stock), 3)),
            new("ratio", Math.Round(ratio, 3)), new("ratioSpread", rounds.Spread(Product, Stock)), new("ratioLimit", 1.0),
            new("rounds", stack.Parts.Rounds), new("noise", rounds.Noise),
        ]);
    }

    public void Dispose()
    {
        foreach (var account in _cpu.Values)
        {
            account.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    private async Task<Result> Compare(string name, int count, double wallLimit, double? cpuLimit)
    {
        await Run();
        var cpu = new List<(string Side, double Seconds)>();
        Func<Task<double>> Metered(string side, Func<Task<double>> measure) => async () =>
        {
            var before = _cpu[side].Seconds;
            var seconds = await measure();
            cpu.Add((side, _cpu[side].Seconds - before));
            return seconds;
        };
        var rounds = await Rounds.Measure(
            name,
            count,
            [
                (Product, Metered(Product, async () => (await Run()).Seconds)),
                (Stock, Metered(Stock, async () => (await Playbook()).Seconds)),
                .. _task.Lines is null ? Array.Empty<(string, Func<Task<double>>)>() : [(Ssh, Metered(Ssh, Push))],
            ]);
        cpu.ForEach(used => rounds.Add($"{used.Side} cpu", used.Seconds));
        var (wall, processor) = (rounds.Ratio(Product, Stock), rounds.Ratio($"{Product} cpu", $"{Stock} cpu"));
        return new Result(name, wall <= wallLimit && (cpuLimit is null || processor <= cpuLimit),
        [
            new("productSeconds", Math.Round(rounds.Median(Product), 2)), new("stockSeconds", Math.Round(rounds.Median(Stock), 2)),
            .. Beside(() => [new("sshSeconds", Math.Round(rounds.Median(Ssh), 2))]),
            new("wallRatio", Math.Round(wall, 3)), new("wallSpread", rounds.Spread(Product, Stock)), new("wallLimit", wallLimit),
            new("productCpu", Math.Round(rounds.Median($"{Product} cpu"), 2)),
            new("stockCpu", Math.Round(rounds.Median($"{Stock} cpu"), 2)),
            .. Beside(() => [new("sshCpu", Math.Round(rounds.Median($"{Ssh} cpu"), 2))]),
            new("cpuRatio", Math.Round(processor, 3)), new("cpuSpread", rounds.Spread($"{Product} cpu", $"{Stock} cpu")),
            .. cpuLimit is { } limit ? [new("cpuLimit", limit)] : Array.Empty<KeyValuePair<string, object>>(),
            .. Beside(() =>
            [
                new("toSshWall", Math.Round(rounds.Ratio(Product, Ssh), 1)),
                new("toSshCpu", Math.Round(rounds.Ratio($"{Product} cpu", $"{Ssh} cpu"), 1)),
            ]),
            new("stockRunsThatLostRouters", _stockLost), new("rounds", count), new("noise", rounds.Noise),
        ]);
    }

    /// <summary>Figures of the bare sessions, where they are played.</summary>
    private KeyValuePair<string, object>[] Beside(Func<KeyValuePair<string, object>[]> figures) => _task.Lines is null ? [] : figures();

    /// <summary>The input of a side: things of its own, which this round adds or removes.</summary>
    private object Input(string side) => _task.Input(Array.IndexOf(_sides, side), _turns[side]++ % 2 == 0);

    /// <summary>Both sides have added theirs: a device must hold the same lines for them, but for their numbers.</summary>
    private async Task MustAgree()
    {
        var text = await _product.ShownText(0);
        var (own, stock) = (_task.Shown(text, 0), _task.Shown(text, 1));
        if (own.Count == 0 || !own.Order(StringComparer.Ordinal).SequenceEqual(stock.Order(StringComparer.Ordinal)))
        {
            throw new InvalidOperationException($"The sides differ: {string.Join(" / ", own)} and {string.Join(" / ", stock)}.");
        }
    }

    private async Task<(double Seconds, double FirstTask)> Run()
    {
        var body =
            new
            {
                block = _task.Block, mode = "apply", targets = new { deviceIds = _product.Devices }, input = Input(Product),
                timeoutSeconds = 3600
            };
        var (posted, begun) = (DateTimeOffset.UtcNow, Stopwatch.GetTimestamp());
        var run = await _product.Post("/v1/runs", body);
        var id = run.GetProperty("id").GetString();
        while (!run.GetProperty("terminal").GetBoolean())
        {
            run = await _product.Get($"/v1/runs/{id}?wait=60");
        }

        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        // A final run is settled: one transaction does both.
        if (run.GetProperty("charged").ValueKind != JsonValueKind.Object
            || run.GetProperty("summary").GetProperty("changed").GetInt32() != _product.Devices.Count)
        {
            throw new InvalidOperationException($"The run did not do its work: {run}");
        }

        var first = (await _product.Get($"/v1/runs/{id}/events?after=0")).GetProperty("items").EnumerateArray()
            .First(runEvent => runEvent.GetProperty("type").GetString() == "device_started").GetProperty("time").GetDateTimeOffset();
        return (seconds, (first - posted).TotalSeconds);
    }

    private async Task<(double Seconds, double FirstTask)> Playbook()
    {
        var inventory = Private("inventory.json", new
        {
            all = new
            {
                hosts = _product.Routers.Take(_product.Devices.Count).ToDictionary(router => router.Name, router => new
                {
                    ansible_host = router.Address, ansible_connection = "ansible.netcommon.network_cli",
                    ansible_network_os = _task.NetworkOs,
                    ansible_user = _product.Username, ansible_password = _product.Password,
                }),
            },
        });
        var input = Private("input.json", new { block_input = Input(Stock) });
        var (begun, first) = (Stopwatch.GetTimestamp(), 0.0);
        using var process =
            Start(_cpu[Stock],
                ["ansible-playbook", "--diff", "-i", inventory, "-e", $"@{input}", $"{_repository}/tests/bench/{_task.Playbook}"]);
        process.StandardInput.Close();
        var recap = "";
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (first == 0 && line.StartsWith("TASK [", StringComparison.Ordinal))
            {
                first = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            }

            recap = line.Length > 0 ? line : recap;
        }

        await process.WaitForExitAsync();
        // With very many routers ansible-playbook may lose some that did not answer in time. The loss is counted, and so is its time.
        var lost = process.ExitCode is HostsFailed or HostsUnreachable && _product.Devices.Count > 50;
        _stockLost += lost ? 1 : 0;
        return process.ExitCode == 0 || lost ? (Stopwatch.GetElapsedTime(begun).TotalSeconds, first)
            : throw new InvalidOperationException($"ansible-playbook ended with {process.ExitCode}. {recap}");
    }

    private async Task<double> Push()
    {
        var lines = _task.Lines!(Array.IndexOf(_sides, Ssh), _turns[Ssh]++ % 2 == 0);
        var begun = Stopwatch.GetTimestamp();
        using var process = Start(_cpu[Ssh], ["/usr/bin/python3", $"{_repository}/tests/bench/push.py"]);
        await process.StandardInput.WriteAsync(JsonSerializer.Serialize(new
        {
            hosts = _product.Routers.Take(_product.Devices.Count).Select(router => new { address = router.Address, key = router.HostKey }),
            username = _product.Username, password = _product.Password, sessions = 32, lines,
        }));
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? Stopwatch.GetElapsedTime(begun).TotalSeconds : throw new InvalidOperationException($"push.py ended with {process.ExitCode}.");
    }

    private string Private(string name, object content)
    {
        var path = $"{_folder.FullName}/{name}";
        using var file =
            new FileStream(
                path, new FileStreamOptions
                {
                    Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite
                });
        JsonSerializer.Serialize(file, content);
        return path;
    }

    /// <summary>Starts a program in the routers' network; its CPU time counts from the start.</summary>
    private Process Start(CpuAccount account, string[] command)
    {
        string[] all =
            ["-c", "echo $$ > \"$1\"; shift; exec \"$@\"", "bench", account.Members, "ip", "netns", "exec", $"na-{LocalProduct.Vpc}",
                .. command];
        var start =
            new ProcessStartInfo(
                "/bin/sh", all)
            {
                UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
                WorkingDirectory = _folder.FullName
            };
        start.Environment["HOME"] = _folder.FullName;
        return Process.Start(start)!;
    }
}
