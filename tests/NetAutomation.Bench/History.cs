using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NetAutomation.Bench;

/// <summary>
/// A backup of every device each day of a year, of 2,000 lines of which one has changed: what it takes on disk, against git's packs of the
/// same texts, and what storing a day, a diff and a search take. Three sizes give the slope to 10,000 devices.
/// </summary>
internal static class History
{
    private const int Days = 365;
    private const int Lines = 2000;
    private const int Many = 10_000;
    private const string GitProgram = "/usr/bin/git";
    private const double DiskLimit = 3;
    private static readonly int[] _sizes = [10, 40, 200];

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("history: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api", "Rates:EvaluationSteps:PerSecond=1000000", "Rates:EvaluationSteps:Burst=1000000000");
        await using var product = new Product(stack);
        var customers = new List<Customer>();
        var (figures, disk, git, day, search) =
            (new List<KeyValuePair<string, object>>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
        foreach (var size in _sizes)
        {
            Stack.Log($"history: {size} devices");
            var customer = (await Customer.CreateWithDevices(stack, 1, size, customers.Count))[0];
            customers.Add(customer);
            var texts = Enumerable.Range(0, size).Select(device => new Texts(device)).ToList();
            var before = await Size(stack);
            var (last, year) = (0.0, Stopwatch.GetTimestamp());
            for (var today = 0; today < Days; today++)
            {
                var begun = Stopwatch.GetTimestamp();
                await product.KeepDay(customer, DateTimeOffset.UtcNow.AddDays(today - Days), texts.Select(text => text.Next()));
                last = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            }

            day.Add(Stopwatch.GetElapsedTime(year).TotalSeconds / Days);
            disk.Add(await Size(stack) - before);
            git.Add(await Git(stack, size));
            search.Add(await Seconds(async () => await Found(customer, size)));
            Stack.Log(string.Create(CultureInfo.InvariantCulture, $"history: {disk[^1] / 1e6:f1} MB, git {git[^1] / 1e6:f1} MB"));
            figures.AddRange(
            [
                new($"diskMb{size}", Math.Round(disk[^1] / 1e6, 1)), new($"gitMb{size}", Math.Round(git[^1] / 1e6, 1)),
                new($"diskByGit{size}", Math.Round(disk[^1] / git[^1], 2)), new($"dayMs{size}", Math.Round(day[^1] * 1000)),
                new($"lastDayMs{size}", Math.Round(last * 1000)), new($"searchMs{size}", Math.Round(search[^1] * 1000)),
            ]);
        }

        var device = customers[^1].Devices[0];
        var configs = await Configs(customers[^1], device);
        var at = $"/v1/devices/{device}/configs";
        var read = await Seconds(() => Get(customers[^1], $"{at}/{configs[^1]}"));
        var diff = await Seconds(() => Get(customers[^1], $"{at}:diff?from={configs[^1]}&to={configs[0]}"));
        figures.AddRange([new("readOldestMs", Math.Round(read * 1000, 1)), new("diffOfAYearMs", Math.Round(diff * 1000, 1))]);
        figures.Add(new($"diskGb{Many}", Math.Round(At(disk) / 1e9, 2)));
        figures.Add(new($"daySeconds{Many}", Math.Round(At(day), 1)));
        figures.Add(new($"searchSeconds{Many}", Math.Round(At(search), 1)));
        return new Result("history", disk[^1] <= DiskLimit * git[^1], figures);
    }

    /// <summary>Where the line through the sizes is at many devices.</summary>
    private static double At(List<double> values)
    {
        var (meanX, meanY) = (_sizes.Average(), values.Average());
        var slope = _sizes.Zip(values, (x, y) => (x - meanX) * (y - meanY)).Sum() / _sizes.Sum(x => (x - meanX) * (x - meanX));
        return meanY + (slope * (Many - meanX));
    }

    private static async Task<double> Size(Stack stack)
    {
        foreach (var table in (string[])["device", "version", "pack", "config"])
        {
            await stack.Sql($"vacuum (full) history.{table}");
        }

        return await stack.Value<long>(
            """
            select sum(pg_total_relation_size(oid))::bigint from pg_class
            where relnamespace = 'history'::regnamespace and relkind = 'r'
            """);
    }

    /// <summary>
    /// Size of git's packs, with their indexes: one commit a day, each device a file. Texts of a device come one after the other, which is
    /// best for their differences.
    /// </summary>
    private static async Task<double> Git(Stack stack, int size)
    {
        var folder = stack.File($"git-{size}");
        await Program(["init", "-q", "--bare", folder]);
        using (var import = Process.Start(new ProcessStartInfo(GitProgram, ["-C", folder, "fast-import", "--quiet"])
        {
            RedirectStandardInput = true, UseShellExecute = false,
        })!)
        {
            await using (var stream = import.StandardInput.BaseStream)
            {
                for (var device = 0; device < size; device++)
                {
                    var text = new Texts(device);
                    for (var today = 0; today < Days; today++)
                    {
                        var bytes = text.Next();
                        await stream.WriteAsync(Ascii($"blob\nmark :{Mark(device, today)}\ndata {bytes.Length}\n"));
                        await stream.WriteAsync(bytes);
                        await stream.WriteAsync("\n"u8.ToArray());
                    }
                }

                for (var today = 0; today < Days; today++)
                {
                    await stream.WriteAsync(
                        Ascii($"commit refs/heads/main\ncommitter bench <bench> {today * 86400} +0000\ndata 0\n\n"));
                    for (var device = 0; device < size; device++)
                    {
                        await stream.WriteAsync(Ascii($"M 644 :{Mark(device, today)} r{device:0000}.txt\n"));
                    }
                }
            }

            await import.WaitForExitAsync();
        }

        await Program(["-C", folder, "gc", "-q"]);
        return Directory.GetFiles(Path.Combine(folder, "objects/pack")).Sum(file => new FileInfo(file).Length);
    }

    private static int Mark(int device, int day) => (device * Days) + day + 1;

    private static byte[] Ascii(FormattableString text) => Encoding.ASCII.GetBytes(text.ToString(CultureInfo.InvariantCulture));

    private static async Task Program(string[] arguments)
    {
        using var program = Process.Start(GitProgram, arguments);
        await program.WaitForExitAsync();
        if (program.ExitCode != 0)
        {
            throw new InvalidOperationException($"git {arguments[^1]}: {program.ExitCode}");
        }
    }

    /// <summary>One search over all devices, by pages where it takes several.</summary>
    private static async Task Found(Customer customer, int size)
    {
        var (searched, after) = (0, "");
        while (searched < size)
        {
            var page = await Get(customer, $"/v1/configs:search?regex=description%20.*never{after}");
            searched += page.GetProperty("searched").GetInt32();
            after = $"&after={page.GetProperty("next").GetString()}";
        }
    }

    private static async Task<List<string>> Configs(Customer customer, string device)
    {
        var (ids, after) = (new List<string>(), "");
        while (true)
        {
            var page = await Get(customer, $"/v1/devices/{device}/configs?limit=200{after}");
            ids.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!));
            if (page.GetProperty("next").GetString() is not { } next)
            {
                return ids;
            }

            after = $"&after={next}";
        }
    }

    private static async Task<JsonElement> Get(Customer customer, string path)
    {
        using var answer = await customer.Client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path}: {text}");
    }

    /// <summary>The median of five, after one that is not counted.</summary>
    private static async Task<double> Seconds(Func<Task> act)
    {
        await act();
        var times = new List<double>();
        for (var time = 0; time < 5; time++)
        {
            var begun = Stopwatch.GetTimestamp();
            await act();
            times.Add(Stopwatch.GetElapsedTime(begun).TotalSeconds);
        }

        return times.Order().ElementAt(2);
    }

    /// <summary>A configuration as a router's may be, with its own addresses, names and keys; the same each time it is made.</summary>
    private sealed class Texts
    {
        private readonly string[] _lines;
        private readonly Random _random;
        private int _day;

        [SuppressMessage("Security", "S2245", Justification = "A seed has to give the same again.")]
        public Texts(int device)
        {
            _random = new Random(device);
            _lines = [.. Enumerable.Range(0, Lines).Select(number => Line(number, device, _random))];
        }

        /// <summary>The text of the next day.</summary>
        public byte[] Next()
        {
            if (_day++ > 0)
            {
                _lines[_random.Next(Lines)] = $" description changed on day {_day} by change CHG{_random.Next(1_000_000)}";
            }

            return Encoding.ASCII.GetBytes(string.Join('\n', _lines) + "\n");
        }

        private static string Line(int number, int device, Random random) => (number % 8) switch
        {
            0 => $"interface GigabitEthernet{number / 400}/{number / 40 % 10}/{number}",
            1 => $" description to site {random.Next(1000)} rack {random.Next(50)} port {random.Next(48)}",
            2 => $" ip address 10.{device % 250}.{number % 250}.{random.Next(250)} 255.255.255.0",
            3 => $" ip ospf message-digest-key 1 md5 7 {random.NextInt64():X16}",
            4 => $"ip route 172.{random.Next(16, 32)}.{random.Next(250)}.0 255.255.255.0 10.{device % 250}.{number % 250}.1 tag {number}",
            5 => $" neighbor 192.0.2.{random.Next(250)} route-map RM-{random.Next(100)} in",
            6 => $"access-list {100 + (number % 90)} permit tcp any host 10.{random.Next(250)}.{random.Next(250)}.1 eq {random.Next(1024)}",
            _ => " no ip redirects",
        };
    }
}
