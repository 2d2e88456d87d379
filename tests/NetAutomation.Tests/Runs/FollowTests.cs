using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

public sealed class FollowTests(PostgresServer postgres, ITestOutputHelper output)
{
    [Fact]
    public async Task A_quiet_stream_is_kept_alive_by_pings()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var fixture =
            await RunFixture.Start(postgres, 1, configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        using var stream = await Open(fixture.Client, await fixture.StartRun());
        (await Frame(stream)).ShouldContain("id: 1\n");
        var (next, waited) = (Frame(stream), 0);
        for (; !next.IsCompleted && waited < 60; waited++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(next, Task.Delay(50));
        }

        (await next.WaitAsync(Eventually.Limit)).ShouldBe("event: ping\ndata: {}");
        waited.ShouldBeGreaterThanOrEqualTo(15);
    }

    [Fact]
    public async Task Another_process_hears_of_work_and_of_news_long_before_it_polls()
    {
        await using var fixture = await RunFixture.Start(postgres, 20);
        await using var other = await ServiceHost.Start(fixture.Database, ["Roles:1=api"]);
        var (here, there) = (fixture.Host.Services.GetRequiredService<RunSignals>(), other.Services.GetRequiredService<RunSignals>());
        await Eventually.Holds(() => here.Listening && there.Listening);
        var (starts, news) = (new List<double>(), new List<double>());
        foreach (var device in fixture.Devices)
        {
            var work = there.Work.WaitAsync(Eventually.Limit);
            var run = await fixture.StartRun(RunBody(device));
            await work;
            await using var scope = other.Services.CreateAsyncScope();
            (await scope.ServiceProvider.GetRequiredService<RunQueue>().Claim("there", default))!.Run.ShouldBe(run);
            starts.Add(await fixture.Scalar<double>(
                $"""
                select extract(epoch from a.claimed_at - r.created_at)::float8 from runs.attempt a join runs.run r on r.id = a.run_id
                where r.id = '{run.Value}'
                """));
            await fixture.Post(fixture.Client, $"/v1/runs/{run}:cancel", new { });
        }

        await fixture.StartRun();
        var claimed = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(claimed, default))).ShouldBeTrue();
        using var stream = await Open(other.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key), claimed.Id);
        for (var i = 0; i < 3; i++)
        {
            await Frame(stream);
        }

        for (var i = 0; i < 20; i++)
        {
            var (watch, next) = (Stopwatch.StartNew(), Frame(stream));
            (await fixture.Write(claimed, OutputEvent("x"))).ShouldBeTrue();
            await next.WaitAsync(Eventually.Limit);
            news.Add(watch.Elapsed.TotalSeconds);
        }

        output.WriteLine(
            $"accepted to claimed in another process: p50 {Median(starts):f3} s, most {starts.Max():f3} s; "
            + $"written to read in another process: p50 {Median(news):f3} s, most {news.Max():f3} s");
        Median(starts).ShouldBeLessThan(15, "a quarter of the poll");
        Median(news).ShouldBeLessThan(there.Poll.TotalSeconds / 4);
    }

    [Fact]
    public async Task A_process_that_cannot_hear_polls_and_hears_again_when_it_can()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var signals = fixture.Host.Services.GetRequiredService<RunSignals>();
        await Eventually.Holds(() => signals.Listening);
        var seldom = signals.Poll;
        var listener =
            await fixture.Scalar<int>("select pid from pg_stat_activity where datname = current_database() and query = 'listen na_runs'");
        await fixture.Sql("select pg_terminate_backend($1)", listener);
        await Eventually.Holds(() => !signals.Listening);
        signals.Poll.ShouldBeLessThan(seldom);
        await Eventually.Holds(() => signals.Listening);
    }

    [Fact]
    public async Task Two_hundred_readers_of_one_kilobyte_a_second_keep_no_run_waiting_and_resume_without_a_gap()
    {
        const int Readers = 200, Batches = 60, Each = 32;
        await using var fixture = await RunFixture.Start(postgres, 2);
        var text = new string('x', 3000);
        await fixture.StartRun(RunBody(fixture.Devices[0]));
        await fixture.StartRun(RunBody(fixture.Devices[1]));
        ClaimedRun[] runs = [(await fixture.Claim())!, (await fixture.Claim())!];
        var alone = await Write(runs[0]);
        (await fixture.Journal(journal => journal.Start(runs[1], default))).ShouldBeTrue();
        using var stop = new CancellationTokenSource();
        var slow = fixture.Host.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key, receiveBuffer: 4096);
        var before = GC.GetTotalMemory(false);
        var readers = new List<Task<long>>();
        for (var i = 0; i < Readers; i++)
        {
            readers.Add(Slow(await Open(slow, runs[1].Id, small: true), stop.Token));
        }

        var beside = await Write(runs[1], start: false);
        var grown = (GC.GetTotalMemory(false) - before) / Readers;
        var progress = readers.Count(reader => reader.IsCompleted);
        (await fixture.Finish(runs[1])).ShouldBeTrue();
        await stop.CancelAsync();
        var reached = await Task.WhenAll(readers);
        output.WriteLine(
            $"{Batches} batches of {Each} events of 3 KB: {alone:f2} s alone, {beside:f2} s with {Readers} slow readers; "
            + $"{grown / 1024} KB a reader, both ends");
        progress.ShouldBe(0, "no reader was cut off");
        grown.ShouldBeLessThan(1024 * 1024);
        var final = (await RunFixture.Get(fixture.Client, $"/v1/runs/{runs[1].Id}"))["finalSeq"]!.GetValue<long>();
        var resumed = reached.Max();
        resumed.ShouldBeLessThan(final, "the readers were slower than the run");
        using var rest = await Open(fixture.Client, runs[1].Id, resumed);
        for (var seq = resumed + 1; seq <= final; seq++)
        {
            (await Frame(rest).WaitAsync(Eventually.Limit)).ShouldStartWith($"id: {seq}\n");
        }

        async Task<double> Write(ClaimedRun run, bool start = true)
        {
            if (start)
            {
                (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
            }

            var watch = Stopwatch.StartNew();
            for (var i = 0; i < Batches; i++)
            {
                (await fixture.Write(run, [.. Enumerable.Range(0, Each).Select(_ => OutputEvent(text))])).ShouldBeTrue();
            }

            return watch.Elapsed.TotalSeconds;
        }
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_for_a_minute_is_cut_off()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var fixture =
            await RunFixture.Start(postgres, 1, configure: builder => builder.Services.AddSingleton<TimeProvider>(clock));
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        using var stream =
            await Open(fixture.Host.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key, receiveBuffer: 4096), run.Id, small: true);
        for (var i = 0; i < 120; i++)
        {
            (await fixture.Write(run, [.. Enumerable.Range(0, 32).Select(_ => OutputEvent(new string('x', 3000)))])).ShouldBeTrue();
        }

        // The reader reads nothing until the service has cut it off; after the data that the network still holds comes the end.
        for (var i = 0; i < 40; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(5));
            await Task.Delay(50);
        }

        await Should.ThrowAsync<IOException>(async () =>
        {
            string frame;
            do
            {
                frame = await Frame(stream).WaitAsync(Eventually.Limit);
            }
            while (frame.Length > 0);

            throw new InvalidOperationException("It ended as if it were complete.");
        });
    }

    [Fact]
    public async Task Readers_of_one_tenant_that_wait_for_the_database_leave_places_for_those_of_another()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await fixture.Host.CreateTenant();
        await fixture.AddDevices(other, 1);
        await fixture.Post(other.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        var (slow, quick) = (await fixture.StartRun(), await fixture.StartRun(client: other.Client));
        // Events of the first tenant are not to be read while the test holds this lock.
        await fixture.Sql(
            """
            create function public.wait() returns boolean language sql volatile
              as 'select pg_advisory_xact_lock_shared(4711) is not null'
            """);
        await fixture.Sql(
            $"""
            create policy slow on runs.run_event as restrictive to na_app
              using (tenant_id <> '{fixture.Tenant.Id.Value}' or public.wait())
            """);
        await using var source = NpgsqlDataSource.Create(fixture.Database.Owner);
        await using var connection = await source.OpenConnectionAsync();
        await using var hold = new NpgsqlCommand("select pg_advisory_lock(4711)", connection);
        await hold.ExecuteNonQueryAsync();
        var waiting = Enumerable.Range(0, 6).Select(_ => RunFixture.Get(fixture.Client, $"/v1/runs/{slow}/events")).ToList();
        await Eventually.Holds(async () => await AtLock() >= 2);
        for (var i = 0; i < 10; i++)
        {
            (await RunFixture.Get(other.Client, $"/v1/runs/{quick}/events"))["items"]!.AsArray().ShouldNotBeEmpty();
        }

        waiting.ShouldAllBe(reader => !reader.IsCompleted);
        (await AtLock()).ShouldBe(2);
        await using var free = new NpgsqlCommand("select pg_advisory_unlock(4711)", connection);
        await free.ExecuteNonQueryAsync();
        await Task.WhenAll(waiting);

        Task<long> AtLock() => fixture.Scalar<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'");
    }

    [Fact]
    public async Task A_page_is_bounded_by_bytes_and_the_next_goes_on()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        RunEvent[] events =
            [OutputEvent(new string('y', 300_000)), .. Enumerable.Range(0, 100).Select(_ => OutputEvent(new string('x', 4000)))];
        (await fixture.Write(run, events))
            .ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeTrue();
        var (seqs, after, complete) = (new List<long>(), 0L, false);
        while (!complete)
        {
            var page = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/events?after={after}");
            seqs.AddRange(page["items"]!.AsArray().Select(item => item!["seq"]!.GetValue<long>()));
            page["items"]!.AsArray().Count.ShouldBeInRange(1, 40);
            (after, complete) = (seqs[^1], page["complete"]!.GetValue<bool>());
        }

        seqs.ShouldBe(Enumerable.Range(1, seqs.Count).Select(seq => (long)seq));
    }

    [Fact]
    public async Task A_log_is_fetched_whole_by_ranges_and_by_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run);
        var path = $"/v1/runs/{run.Id}/log";
        var whole = await fixture.Client.GetByteArrayAsync(path);
        (await Range(new RangeHeaderValue(10, 29))).ShouldBe((HttpStatusCode.PartialContent, Encoding.UTF8.GetString(whole[10..30])));
        (await Range(new RangeHeaderValue(null, 15))).ShouldBe((HttpStatusCode.PartialContent, Encoding.UTF8.GetString(whole[^15..])));
        (await Range(new RangeHeaderValue(whole.Length, null))).Status.ShouldBe(HttpStatusCode.RequestedRangeNotSatisfiable);
        var lines = Encoding.UTF8.GetString(whole).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var device = (await fixture.Client.GetStringAsync($"{path}?deviceId={fixture.Devices[1]}"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        device.ShouldNotBeEmpty();
        device.ShouldBe(lines.Where(line => line.Contains(" r002 ", StringComparison.Ordinal)));

        async Task<(HttpStatusCode Status, string Text)> Range(RangeHeaderValue range)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = range } };
            using var answer = await fixture.Client.SendAsync(request);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_log_that_is_being_read_lies_in_no_file_and_its_ranges_go_over_its_pages()
    {
        const int Readers = 5;
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        for (var i = 0; i < 60; i++)
        {
            var text = new string((char)('a' + (i % 26)), 3000);
            (await fixture.Write(run, [.. Enumerable.Range(0, 32).Select(_ => OutputEvent(text))])).ShouldBeTrue();
        }

        var path = $"/v1/runs/{run.Id}/log";
        var before = TemporaryFiles();
        var slow = fixture.Host.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key, receiveBuffer: 4096);
        var readers = new List<HttpResponseMessage>();
        for (var i = 0; i < Readers; i++)
        {
            readers.Add(await slow.GetAsync(path, HttpCompletionOption.ResponseHeadersRead));
        }

        (TemporaryFiles() - before).ShouldBeLessThan(Readers);
        readers.ForEach(reader => reader.Dispose());

        var whole = await fixture.Client.GetByteArrayAsync(path);
        whole.Length.ShouldBeGreaterThan(60 * 32 * 3000);
        var random = new Random(5);
        for (var i = 0; i < 10; i++)
        {
            var begin = random.Next(whole.Length);
            var end = Math.Min(whole.Length - 1, begin + random.Next(600_000));
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(begin, end) } };
            using var answer = await fixture.Client.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
            (await answer.Content.ReadAsByteArrayAsync()).AsSpan().SequenceEqual(whole.AsSpan(begin..(end + 1)))
                .ShouldBeTrue($"{begin} {end}");
        }

        // Files of this process that are named at random, as .NET names them.
        static int TemporaryFiles() => Directory.GetFiles("/proc/self/fd").Count(
            file => new FileInfo(file).LinkTarget is { } target && target.StartsWith(Path.GetTempPath(), StringComparison.Ordinal)
                && Path.GetFileName(target).Length == 12);
    }

    [Fact]
    public async Task Events_go_with_their_day_and_the_run_with_its_receipts_stays()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run);
        var day = await MoveIntoPast(fixture, run.Id, 100);
        (await Drop(fixture, 101)).ShouldBeNull("not yet");
        (await Drop(fixture, 90)).ShouldBe(day);
        (await Drop(fixture, 90)).ShouldBeNull("there is no other");

        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}");
        foreach (var path in new[] { "events", "events?after=2", "log" })
        {
            var gone = await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/{path}", 410);
            gone["type"]!.GetValue<string>().ShouldBe("/problems/events_dropped");
            gone["firstSeq"]!.GetValue<long>().ShouldBe(view["finalSeq"]!.GetValue<long>() + 1);
        }

        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/events?after={view["finalSeq"]}"))["complete"]!.GetValue<bool>()
            .ShouldBeTrue();
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run.Id}/devices/{fixture.Devices[0]}"))["receipt"].ShouldNotBeNull();
    }

    [Fact]
    public async Task Events_stay_while_a_run_of_their_day_may_still_write()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run, DeviceOutcome.Unknown);
        var day = await MoveIntoPast(fixture, run.Id, 100);
        (await Drop(fixture, 90)).ShouldBeNull();
        await fixture.Post(
            fixture.Client, $"/v1/runs/{run.Id}:resolve",
            new
            {
                verdict = "abandoned", devices = new[] { new { deviceId = $"{fixture.Devices[0]}", outcome = "failed" } },
                evidence = "The router was replaced."
            });
        (await Drop(fixture, 90)).ShouldBe(day);
    }

    [Fact]
    public async Task Dropping_a_day_gives_way_to_writers()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        await fixture.Work(run);
        var day = await MoveIntoPast(fixture, run.Id, 100);
        await using (var source = NpgsqlDataSource.Create(fixture.Database.Owner))
        {
            await using var writer = await source.OpenConnectionAsync();
            await using var transaction = await writer.BeginTransactionAsync();
            await using var command = new NpgsqlCommand("lock table runs.run_event in row exclusive mode", writer);
            await command.ExecuteNonQueryAsync();
            (await Drop(fixture, 90)).ShouldBeNull("it is left for the next time");
        }

        (await Drop(fixture, 90)).ShouldBe(day);
    }

    [Fact]
    public async Task Nobody_is_granted_a_partition_nor_the_last_days_to_drop()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        (await fixture.Scalar<long>(
            """
            select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'runs.run_event'::regclass and c.relacl is not null
            """)).ShouldBe(0);
        (await fixture.Scalar<bool>("select has_function_privilege('na_app', 'runs.drop_partition(date)', 'execute')")).ShouldBeFalse();
        (await Should.ThrowAsync<PostgresException>(() => fixture.Sql("select runs.drop_partition(current_date)"))).SqlState.ShouldBe(
            "23001");
    }

    private static object RunBody(DeviceId device) => new
    {
        block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { $"{device}" } },
        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
    };

    private static RunEvent OutputEvent(string text) =>
        new(DateTimeOffset.UtcNow, "output", null, new JsonObject { ["text"] = text }.ToJsonString());

    /// <summary>Moves a run and its events this number of days into the past.</summary>
    private static async Task<DateOnly> MoveIntoPast(RunFixture fixture, RunId run, int days)
    {
        var day = DateOnly.FromDateTime(DateTime.UtcNow).AddDays(-days);
        var name = day.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        await fixture.Sql(
            $"""
            create table runs.run_event_{name} partition of runs.run_event
            for values from ('{day:yyyy-MM-dd}') to ('{day.AddDays(1):yyyy-MM-dd}')
            """);
        await using var connection = new NpgsqlConnection(fixture.Database.Owner);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            $"""
            set session_replication_role = replica;
            update runs.run set created_day = '{day:yyyy-MM-dd}' where id = '{run.Value}';
            update runs.run_event set run_day = '{day:yyyy-MM-dd}' where run_id = '{run.Value}';
            set session_replication_role = origin;
            """,
            connection);
        await command.ExecuteNonQueryAsync();
        return day;
    }

    private static async Task<DateOnly?> Drop(RunFixture fixture, int days)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<RunQueue>().DropEvents(days, default);
    }

    private static async Task<StreamReader> Open(HttpClient client, RunId run, long after = 0, bool small = false)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/runs/{run}/events?after={after}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        ((int)answer.StatusCode).ShouldBe(200);
        return new StreamReader(await answer.Content.ReadAsStreamAsync(), bufferSize: small ? 128 : 4096);
    }

    /// <summary>Reads the next frame without its empty line; returns an empty text at the end.</summary>
    private static async Task<string> Frame(StreamReader stream)
    {
        var lines = new List<string>();
        while (await stream.ReadLineAsync() is { } line && line.Length > 0)
        {
            lines.Add(line);
        }

        return string.Join('\n', lines);
    }

    /// <summary>Reads 1 KB a second; returns the number of the last complete event.</summary>
    private static async Task<long> Slow(StreamReader stream, CancellationToken stop)
    {
        using var _ = stream;
        var (text, buffer) = (new StringBuilder(), new char[256]);
        try
        {
            while (await stream.ReadAsync(buffer, stop) is > 0 and var count)
            {
                text.Append(buffer, 0, count);
                await Task.Delay(250, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The time is over.
        }

        var whole = text.ToString()[..(text.ToString().LastIndexOf("\n\n", StringComparison.Ordinal) + 1)];
        var last = whole.LastIndexOf("id: ", StringComparison.Ordinal);
        return last < 0 ? 0 : long.Parse(whole[(last + 4)..].Split('\n')[0], CultureInfo.InvariantCulture);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
