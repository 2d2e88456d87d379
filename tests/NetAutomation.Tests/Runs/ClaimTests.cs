using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

public sealed class ClaimTests(PostgresServer postgres, ITestOutputHelper output)
{
    [Fact]
    public async Task Tenants_with_nothing_running_take_turns()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var (mine, other, theirs) = (await Template(fixture, fixture.Tenant), await Another(fixture, 1), new List<TenantId>());
        await fixture.Queue(
            mine, [.. Enumerable.Range(0, 5).Select(i => new WaitingRun([fixture.Devices[0]], Age: TimeSpan.FromHours(1)))]);
        await fixture.Queue(other.Template, [.. Enumerable.Range(0, 5).Select(i => new WaitingRun([other.Devices[0]]))]);
        for (var i = 0; i < 10; i++)
        {
            var run = (await fixture.Claim())!;
            theirs.Add(run.Tenant);
            await fixture.Work(run);
        }

        theirs.Chunk(2).ShouldAllBe(pair => pair[0] != pair[1]);
    }

    [Fact]
    public async Task A_tenant_of_more_weight_has_more_running()
    {
        await using var fixture = await RunFixture.Start(postgres, 12);
        var (mine, other) = (await Template(fixture, fixture.Tenant), await Another(fixture, 12));
        await fixture.Queue(mine, [.. fixture.Devices.Select(device => new WaitingRun([device]))]);
        await fixture.Queue(other.Template, [.. other.Devices.Select(device => new WaitingRun([device]))]);
        await fixture.Sql(
            "insert into runs.tenant_quota (tenant_id, weight) values ($1, 3) on conflict (tenant_id) do update set weight = 3",
            fixture.Tenant.Id.Value);
        var running = new List<ClaimedRun>();
        for (var i = 0; i < 8; i++)
        {
            running.Add((await fixture.Claim())!);
        }

        running.Count(run => run.Tenant == fixture.Tenant.Id).ShouldBe(6);
    }

    [Fact]
    public async Task Of_very_many_tenants_the_only_one_with_room_is_found_and_then_each_is_served_once()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var tenants = new List<Guid>();
        for (var i = 0; i < 70; i++)
        {
            var (template, devices, _) = await Another(fixture, 1);
            await fixture.Queue(template, new WaitingRun([devices[0]]), new WaitingRun([devices[0]], false));
            tenants.Add(template.Tenant.Value);
        }

        await fixture.Sql(
            """
            insert into runs.tenant_quota (tenant_id, max_running)
            select t, 0 from unnest($1) t on conflict (tenant_id) do update set max_running = 0
            """, tenants.Take(69).ToArray());
        var only = (await fixture.Claim())!;
        only.Tenant.Value.ShouldBe(tenants[69]);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Sql("update runs.tenant_quota set max_running = 20");
        var served = new List<Guid> { only.Tenant.Value };
        while (await fixture.Claim() is { } run)
        {
            served.Add(run.Tenant.Value);
        }

        served.ShouldBe(tenants, ignoreOrder: true);
    }

    [Fact]
    public async Task A_waiting_run_is_examined_once_until_its_gate_opens()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var template = await Template(fixture, fixture.Tenant);
        var holder = new WaitingRun([fixture.Devices[0]], Age: TimeSpan.FromHours(2));
        await fixture.Queue(
            template,
            [holder,
                .. Enumerable.Range(0, 200)
                    .Select(i => new WaitingRun([fixture.Devices[0], fixture.Devices[1]], Age: TimeSpan.FromSeconds(200 - i)))]);
        var first = (await fixture.Claim())!;
        first.Id.ShouldBe(holder.Id);
        (await fixture.Claim()).ShouldBeNull();
        (await Ready(fixture)).ShouldBe(0);
        await fixture.Queue(template, new WaitingRun([fixture.Devices[2]]));
        await fixture.Work((await fixture.Claim())!);
        (await Ready(fixture)).ShouldBe(0, "another device was given back");
        await fixture.Work(first);
        (await Ready(fixture)).ShouldBe(1, "the first in line");
        (await fixture.Claim()).ShouldNotBeNull();
    }

    [Fact]
    public async Task Readers_queued_after_a_writer_do_not_get_past_it_on_any_of_its_devices()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var template = await Template(fixture, fixture.Tenant);
        var (a, b) = (fixture.Devices[0], fixture.Devices[1]);
        WaitingRun first = new([a], false), writer = new([a, b]), onA = new([a], false), onB = new([b], false);
        await fixture.Queue(template, first);
        var reading = (await fixture.Claim())!;
        await fixture.Queue(template, writer);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Queue(template, onA);
        await fixture.Queue(template, onB with { Priority = 5 });
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Work(reading);
        var writing = (await fixture.Claim())!;
        writing.Id.ShouldBe(writer.Id);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Work(writing);
        (await fixture.Claim()).ShouldNotBeNull();
        (await fixture.Claim()).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_writer_that_waits_for_another_writer_bars_no_reader()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var template = await Template(fixture, fixture.Tenant);
        var (a, b) = (fixture.Devices[0], fixture.Devices[1]);
        await fixture.Queue(template, new WaitingRun([b], false));
        var reading = (await fixture.Claim())!;
        await fixture.Queue(template, new WaitingRun([a, b]));
        (await fixture.Claim()).ShouldBeNull("it waits for the reader");
        await fixture.Queue(template, new WaitingRun([a]));
        var writing = (await fixture.Claim())!;
        var reader = new WaitingRun([b], false);
        await fixture.Queue(template, reader);
        (await fixture.Claim())!.Id.ShouldBe(reader.Id, "now it waits for a writer");
        await fixture.Work(reading);
        await fixture.Work(writing);
        (await fixture.Claim()).ShouldBeNull();
    }

    [Fact]
    public async Task A_cancelled_writer_lets_the_readers_behind_it_go()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var template = await Template(fixture, fixture.Tenant);
        await fixture.Queue(template, new WaitingRun(fixture.Devices, false));
        (await fixture.Claim()).ShouldNotBeNull();
        WaitingRun writer = new(fixture.Devices), reader = new(fixture.Devices, false);
        await fixture.Queue(template, writer);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Queue(template, reader);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Post(fixture.Client, $"/v1/runs/{writer.Id}:cancel", new { });
        (await fixture.Claim())!.Id.ShouldBe(reader.Id);
    }

    [Fact]
    public async Task A_queued_run_that_kept_its_devices_is_claimed_with_new_holds()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await fixture.Write(run, RunFixture.Started(run.Devices[0].Id), RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed)))
            .ShouldBeTrue();
        await fixture.Sql($"select runs.lose('{run.Tenant.Value}', '{run.Id.Value}', {run.Fence}, 'test', 'worker_lost')");
        var other = await fixture.StartRun();
        var again = (await fixture.Claim())!;
        again.Id.ShouldBe(run.Id);
        again.Devices.Select(device => device.Id).ShouldBe([run.Devices[1].Id]);
        (await fixture.Scalar<long>(
            $"select count(*) from runs.device_hold where fence = {again.Fence} and device_id = '{run.Devices[1].Id.Value}'")).ShouldBe(1);
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(1, "what has an outcome is not held");
        (await fixture.Claim()).ShouldBeNull($"{other} waits");
    }

    [Fact]
    public async Task Runs_that_waited_for_a_connector_start_in_order_when_it_is_back()
    {
        await using var fixture = await RunFixture.Start(postgres, 40);
        var template = await Template(fixture, fixture.Tenant);
        await fixture.Sql("update connectors.connector_session set state = 'closed'");
        var runs = fixture.Devices.Select((device, i) => new WaitingRun([device], Priority: i % 3, Age: TimeSpan.FromSeconds(i))).ToList();
        await fixture.Sql(
            """
            insert into runs.tenant_quota (tenant_id, max_running) values ($1, 100) on conflict (tenant_id) do update set max_running = 100
            """, fixture.Tenant.Id.Value);
        await fixture.Queue(template, runs);
        (await fixture.Claim()).ShouldBeNull();
        (await Ready(fixture)).ShouldBe(0);
        await fixture.Sql("update connectors.connector_session set state = 'attached'");
        var claimed = new List<RunId>();
        while (await fixture.Claim() is { } run)
        {
            claimed.Add(run.Id);
        }

        claimed.ShouldBe(runs.OrderByDescending(run => run.Priority).ThenByDescending(run => run.Age).Select(run => run.Id));
    }

    [Fact]
    public async Task A_session_nobody_has_seen_for_a_minute_is_no_way_to_a_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        await fixture.Sql("update connectors.connector_session set seen_at = now() - interval '2 minutes'");
        var run = await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]![0]!["code"]!.GetValue<string>()
            .ShouldBe("connector_absent");
        await fixture.Sql("update connectors.connector_session set seen_at = now()");
        (await fixture.Claim())!.Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_run_of_higher_priority_starts_first()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        static object Run(int? priority) =>
            new
            {
                block = "static-routes", mode = "apply", targets = new { all = true },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }, priority
            };
        var (plain, urgent) = (await fixture.StartRun(Run(null)), await fixture.StartRun(Run(9)));
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{urgent}"))["priority"]!.GetValue<int>().ShouldBe(9);
        var first = (await fixture.Claim())!;
        first.Id.ShouldBe(urgent);
        await fixture.Work(first);
        (await fixture.Claim())!.Id.ShouldBe(plain);
        (await RunFixture.Post(fixture.Client, "/v1/runs", Run(10), null, 422))["errors"]![0]!["pointer"]!.GetValue<string>()
            .ShouldBe("/priority");
    }

    [Fact]
    public async Task A_tenant_at_its_cap_waits_and_why_says_so()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var template = await Template(fixture, fixture.Tenant);
        await fixture.Sql(
            "insert into runs.tenant_quota (tenant_id, max_running) values ($1, 1) on conflict (tenant_id) do update set max_running = 1",
            fixture.Tenant.Id.Value);
        WaitingRun one = new([fixture.Devices[0]], Age: TimeSpan.FromHours(1)), two = new([fixture.Devices[1]]);
        await fixture.Queue(template, one, two);
        var first = (await fixture.Claim())!;
        (await fixture.Claim()).ShouldBeNull();
        (await Why(fixture, two.Id)).ShouldBe(["quota"]);
        await fixture.Work(first);
        (await Why(fixture, two.Id)).ShouldBe(["queue"]);
        (await fixture.Claim())!.Id.ShouldBe(two.Id);
    }

    [Fact]
    public async Task Long_runs_of_one_tenant_leave_the_last_place_of_a_worker_to_others_and_to_runs_that_end_soon()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var other = await Another(fixture, 1);
        var (first, second) = (await Check(86400), await Check(86400));
        (await fixture.Claim(last: true))!.Id.ShouldBe(first, "nothing of this tenant was running");
        (await fixture.Claim(last: true)).ShouldBeNull();
        var soon = await Check(600);
        (await fixture.Claim(last: true))!.Id.ShouldBe(soon);
        var theirs = await Check(86400, other.Client);
        (await fixture.Claim(last: true))!.Id.ShouldBe(theirs);
        (await fixture.Claim(last: true)).ShouldBeNull();
        var claimed = (await fixture.Claim())!;
        (claimed.Id, claimed.Timeout).ShouldBe((second, TimeSpan.FromHours(1)), "a check takes no longer");

        Task<RunId> Check(int timeoutSeconds, HttpClient? client = null) => fixture.StartRun(
            new
            {
                block = "static-routes", mode = "check", targets = new { all = true }, timeoutSeconds,
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
            },
            client);
    }

    [Fact]
    public async Task A_queued_run_waits_while_the_output_of_the_month_is_used_up_and_one_that_was_lost_does_not()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var run = await fixture.StartRun();
        await fixture.Sql("insert into web.tenant_limit (tenant_id, name, max) values ($1, 'event_rows', 10)", fixture.Tenant.Id.Value);
        await Used(10);
        (await fixture.Claim()).ShouldBeNull();
        (await Why(fixture, run)).ShouldBe(["output"]);
        await Used(9);
        await fixture.Sql("update runs.queue set look_at = now()");
        await fixture.Sql("select runs.reopen()");
        var claimed = (await fixture.Claim())!;
        claimed.Id.ShouldBe(run);
        (await fixture.Journal(journal => journal.Start(claimed, default))).ShouldBeTrue();
        await Used(10);
        await fixture.Sql($"select runs.lose('{claimed.Tenant.Value}', '{run.Value}', {claimed.Fence}, 'test', 'worker_lost')");
        (await fixture.Claim())!.Id.ShouldBe(run);

        Task Used(int events) => fixture.Sql(
            """
            insert into runs.tenant_quota (tenant_id, month, event_rows)
            values ($1, date_trunc('month', now() at time zone 'UTC')::date, $2)
            on conflict (tenant_id) do update set month = excluded.month, event_rows = excluded.event_rows
            """, fixture.Tenant.Id.Value, events);
    }

    [Fact]
    public async Task A_reader_behind_a_waiting_writer_sees_that_in_why()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var template = await Template(fixture, fixture.Tenant);
        WaitingRun reads = new(fixture.Devices, false), writes = new(fixture.Devices), behind = new(fixture.Devices, false);
        await fixture.Queue(template, reads);
        var reading = (await fixture.Claim())!;
        await fixture.Queue(template, writes);
        (await fixture.Claim()).ShouldBeNull();
        await fixture.Queue(template, behind);
        (await fixture.Claim()).ShouldBeNull();
        (await Why(fixture, writes.Id)).ShouldBe(["device_held"]);
        (await Why(fixture, behind.Id)).ShouldBe(["writer_waiting"]);
        await fixture.Work(reading);
        (await Why(fixture, writes.Id)).ShouldBe(["queue"]);
        await fixture.Work((await fixture.Claim())!);
        (await Why(fixture, behind.Id)).ShouldBe(["queue"]);
        (await fixture.Claim())!.Id.ShouldBe(behind.Id);
    }

    [Fact]
    public async Task A_lost_run_says_what_it_waits_for()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        await fixture.StartRun();
        var run = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await Why(fixture, run.Id)).ShouldBeEmpty();
        await fixture.Sql("update runs.run set lease_until = now() - interval '1 second'");
        (await Why(fixture, run.Id)).ShouldBe(["worker_lost"]);
        (await fixture.Write(run, RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Unknown))).ShouldBeTrue();
        (await fixture.Finish(run)).ShouldBeTrue();
        (await Why(fixture, run.Id)).ShouldBe(["resolution"]);
    }

    [Fact]
    public async Task Eight_workers_and_a_thousand_runs_never_overlap_on_a_device_nor_pass_a_cap_and_leave_nothing()
    {
        const int Workers = 8, Count = 1000, Cap = 3;
        await using var fixture = await RunFixture.Start(postgres, 25);
        var (mine, other, random) = (await Template(fixture, fixture.Tenant), await Another(fixture, 25), new Random(7));
        foreach (var (template, devices) in new[] { (mine, fixture.Devices), (other.Template, other.Devices) })
        {
            await fixture.Sql(
                """
                insert into runs.tenant_quota (tenant_id, max_running) values ($1, $2)
                on conflict (tenant_id) do update set max_running = $2
                """, template.Tenant.Value, Cap);
            await fixture.Queue(template, [.. Enumerable.Range(0, Count / 2).Select(i => new WaitingRun(
                random.GetItems(devices.ToArray(), random.Next(1, 4)).Distinct().ToList(), random.Next(3) > 0, random.Next(3),
                TimeSpan.FromSeconds(random.Next(1000))))]);
        }

        var (done, overlaps, most) = (0, new ConcurrentQueue<string>(), new ConcurrentDictionary<TenantId, int>());
        var (writers, readers, running, gate) =
            (new Dictionary<DeviceId, int>(), new Dictionary<DeviceId, int>(), new Dictionary<TenantId, int>(), new Lock());
        var claiming = TimeSpan.Zero;
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            while (Volatile.Read(ref done) < Count && clock.Elapsed < TimeSpan.FromMinutes(5))
            {
                var before = clock.Elapsed;
                var run = await fixture.Claim($"w{worker}");
                lock (gate)
                {
                    claiming += clock.Elapsed - before;
                }

                if (run is null)
                {
                    await Task.Delay(5);
                    continue;
                }

                Note(run, 1);
                (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
                Note(run, -1);
                (await fixture.Finish(run)).ShouldBeTrue();
                Interlocked.Increment(ref done);
            }
        })));

        output.WriteLine(
            $"{Workers} workers, {Count} runs, 50 devices: {Count / clock.Elapsed.TotalSeconds:f0} runs/s, "
            + $"{claiming.TotalMilliseconds / Count:f1} ms in claims for each");
        done.ShouldBe(Count);
        overlaps.ShouldBeEmpty();
        most.Values.Max().ShouldBeLessThanOrEqualTo(Cap);
        (await fixture.Scalar<long>(
            """
            select (select count(*) from runs.queue) + (select count(*) from runs.waiting_writer) + (select count(*) from runs.device_hold)
            """)).ShouldBe(0);

        void Note(ClaimedRun run, int by)
        {
            lock (gate)
            {
                var now = running[run.Tenant] = running.GetValueOrDefault(run.Tenant) + by;
                most[run.Tenant] = Math.Max(most.GetValueOrDefault(run.Tenant), now);
                foreach (var device in run.Devices)
                {
                    var of = run.Exclusive ? writers : readers;
                    of[device.Id] = of.GetValueOrDefault(device.Id) + by;
                    if (writers.GetValueOrDefault(device.Id) is var w && (w > 1 || (w == 1 && readers.GetValueOrDefault(device.Id) > 0)))
                    {
                        overlaps.Enqueue($"{device.Name}: {run.Id}");
                    }
                }
            }
        }
    }

    /// <summary>
    /// Random runs, ends, cancels, caps, weights and connectors; before every claim another query lists the runs that could start. The
    /// claim takes the first run by priority and age of the fairest tenant, and leaves no run that could start.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_claim_takes_the_next_run_and_leaves_none_that_could_start(int seed)
    {
        await using var fixture = await RunFixture.Start(postgres, 5);
        var (mine, other, random) = (await Template(fixture, fixture.Tenant), await Another(fixture, 5), new Random(seed));
        (TestTenantRun Template, DeviceId[] Devices)[] tenants = [(mine, [.. fixture.Devices]), (other.Template, [.. other.Devices])];
        var (running, queued) = (new List<ClaimedRun>(), new List<(TestTenantRun Of, RunId Id)>());
        var age = TimeSpan.FromHours(10);
        for (var step = 0; step < 150; step++)
        {
            var (template, devices) = tenants[random.Next(2)];
            switch (random.Next(10))
            {
                case < 5:
                    age -= TimeSpan.FromSeconds(1);
                    WaitingRun added =
                        new(random.GetItems(devices, random.Next(1, 4)).Distinct().ToList(), random.Next(2) == 0, random.Next(3), age);
                    await fixture.Queue(template, added);
                    queued.Add((template, added.Id));
                    break;
                case < 8 when running.Count > 0:
                    var ended = running[random.Next(running.Count)];
                    running.Remove(ended);
                    (await fixture.Journal(journal => journal.Start(ended, default))).ShouldBeTrue();
                    (await fixture.Finish(ended)).ShouldBeTrue();
                    break;
                case 8 when queued.Count > 0:
                    var gone = queued[random.Next(queued.Count)];
                    queued.Remove(gone);
                    var tenantClient = gone.Of == mine ? fixture.Client : other.Client;
                    await fixture.Post(tenantClient, $"/v1/runs/{gone.Id}:cancel", new { });
                    break;
                case 9 when random.Next(2) == 0:
                    await fixture.Sql(
                        """
                        update connectors.connector_session set state = case when state = 'attached' then 'closed' else 'attached' end
                        where tenant_id = $1
                        """, template.Tenant.Value);
                    break;
                default:
                    await fixture.Sql(
                        "update runs.tenant_quota set weight = $2, max_running = greatest(running, $3) where tenant_id = $1",
                        template.Tenant.Value, random.Next(1, 4), random.Next(1, 8));
                    break;
            }

            var could = await Startable(fixture);
            var (behind, barred) = (await BehindWriters(fixture, false), await BehindWriters(fixture, true));
            var claimed = await fixture.Claim();
            (claimed?.Id.Value)
                .ShouldBe(
                    could.Cast<Guid?>().FirstOrDefault(run => !behind.Contains(run!.Value) || run == claimed?.Id.Value),
                    $"seed {seed}, step {step}");
            barred.ShouldNotContain(claimed?.Id.Value ?? Guid.Empty, $"seed {seed}, step {step}");
            if (claimed is not null)
            {
                running.Add(claimed);
                queued.RemoveAll(run => run.Id == claimed.Id);
            }
        }
    }

    /// <summary>
    /// B starts a run every quarter of a second, four times the required rate: first alone, then beside 5,000 queued runs of A that need
    /// more time than the workers have.
    /// </summary>
    [Fact]
    public async Task A_tenant_waits_no_longer_beside_5000_queued_runs_of_another()
    {
        const int Loops = 16, Launches = 40;
        await using var fixture = await RunFixture.Start(postgres, 50);
        var (mine, b) = (await Template(fixture, fixture.Tenant), await Another(fixture, 10));
        using var stop = new CancellationTokenSource();
        var signals = fixture.Host.Services.GetRequiredService<RunSignals>();
        var workers = Enumerable.Range(0, Loops).Select(worker => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var work = signals.Work;
                if (await fixture.Claim($"w{worker}") is not { } run)
                {
                    await signals.Wait(work, TimeSpan.FromMilliseconds(500), TimeProvider.System, default);
                    continue;
                }

                (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
                await Task.Delay(100);
                (await fixture.Finish(run)).ShouldBeTrue();
            }
        })).ToList();

        var alone = await Waits();
        await fixture.Queue(
            mine, [.. Enumerable.Range(0, 5000)
                .Select(i => new WaitingRun([fixture.Devices[i % 50]], i % 2 == 0, 0, TimeSpan.FromMinutes(1)))]);
        var beside = await Waits();
        var left = await fixture.Scalar<long>("select count(*) from runs.queue");
        await stop.CancelAsync();
        await Task.WhenAll(workers);
        output.WriteLine(
            $"wait of B: alone p50 {At(alone, 50):f3} s, p99 {At(alone, 99):f3} s; "
            + $"beside 5,000 of A p50 {At(beside, 50):f3} s, p99 {At(beside, 99):f3} s; {left} still queued");
        left.ShouldBeGreaterThan(1000, "A's queue outlasts the measurement");
        At(beside, 99).ShouldBeLessThan(At(alone, 99) + 2);

        async Task<double[]> Waits()
        {
            var started = new List<RunId>();
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
            for (var i = 0; i < Launches; i++)
            {
                await timer.WaitForNextTickAsync();
                started.Add(await fixture.StartRun(
                    new
                    {
                        block = "static-routes", mode = "apply",
                        targets = new { deviceIds = new[] { b.Devices[i % b.Devices.Count].ToString() } },
                        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }
                    }, b.Client));
            }

            var ids = string.Join(",", started.Select(run => $"'{run.Value}'"));
            await Eventually.Holds(
                async () => await fixture.Scalar<long>($"select count(*) from runs.attempt where run_id in ({ids})") == Launches);
            return await fixture.Scalar<double[]>(
                $"""
                select array_agg(extract(epoch from a.claimed_at - r.created_at)::float8 order by a.claimed_at - r.created_at)
                from runs.run r join runs.attempt a on a.tenant_id = r.tenant_id and a.run_id = r.id where r.id in ({ids})
                """);
        }
    }

    private static double At(double[] sorted, int percent) => sorted[(int)Math.Ceiling(sorted.Length * percent / 100.0) - 1];

    /// <summary>A run of the tenant that has ended and serves as the template of copies.</summary>
    private static async Task<TestTenantRun> Template(RunFixture fixture, TestTenant tenant)
    {
        var run = await fixture.StartRun(client: tenant.Client);
        await fixture.Post(tenant.Client, $"/v1/runs/{run}:cancel", new { });
        return new TestTenantRun(tenant.Id, run);
    }

    private static async Task<(TestTenantRun Template, IReadOnlyList<DeviceId> Devices, HttpClient Client)> Another(
        RunFixture fixture, int devices)
    {
        var tenant = await fixture.Host.CreateTenant();
        var ids = await fixture.AddDevices(tenant, devices);
        await fixture.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        return (await Template(fixture, tenant), ids, tenant.Client);
    }

    private static async Task<string[]> Why(RunFixture fixture, RunId run) =>
        [.. (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray()
            .Select(gate => gate!["code"]!.GetValue<string>())];

    private static Task<long> Ready(RunFixture fixture) => fixture.Scalar<long>("select count(*) from runs.queue where ready");

    /// <summary>
    /// The runs that could start, without writers that hold readers back: the fairest tenant first, then priority, then age.
    /// </summary>
    private static Task<List<Guid>> Startable(RunFixture fixture) => Runs(
        fixture,
        """
        select q.id from runs.run q left join runs.tenant_quota t on t.tenant_id = q.tenant_id
        where q.state = 'queued' and coalesce(t.running < t.max_running, true)
          and not exists (
            select from runs.run_device d join runs.device_hold h on h.tenant_id = d.tenant_id and h.device_id = d.device_id
            where d.tenant_id = q.tenant_id and d.run_id = q.id and (h.exclusive = 1 or q.mode = 'apply'))
          and exists (select from connectors.connector_session s where s.tenant_id = q.tenant_id and s.state = 'attached')
        order by coalesce(t.running, 0)::float / coalesce(t.weight, 1), coalesce(t.served_at, '-infinity'), q.tenant_id, q.priority desc,
          q.created_at
        """);

    /// <summary>
    /// Readers that wait behind a writer of one of their devices, when that writer waits only for readers; with <paramref name="found"/>,
    /// only writers that a claim has seen waiting.
    /// </summary>
    private static async Task<HashSet<Guid>> BehindWriters(RunFixture fixture, bool found) => [.. await Runs(
        fixture,
        $"""
        select r.id from runs.run r join runs.run_device d on d.tenant_id = r.tenant_id and d.run_id = r.id
        join runs.run_device x on x.tenant_id = d.tenant_id and x.device_id = d.device_id
        join runs.run w on w.tenant_id = x.tenant_id and w.id = x.run_id and w.state = 'queued' and w.mode = 'apply'
          and w.created_at < r.created_at
        where r.mode = 'check' and r.state = 'queued'
          and ({!found} or exists (select from runs.waiting_writer m where m.tenant_id = w.tenant_id and m.run_id = w.id))
          and exists (select from runs.run_device y join runs.device_hold h on h.tenant_id = y.tenant_id and h.device_id = y.device_id
            where y.run_id = w.id)
          and not exists (select from runs.run_device y join runs.device_hold h on h.tenant_id = y.tenant_id and h.device_id = y.device_id
            and h.exclusive = 1 where y.run_id = w.id)
        """)];

    private static async Task<List<Guid>> Runs(RunFixture fixture, string sql)
    {
        await using var source = NpgsqlDataSource.Create(fixture.Database.Owner);
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var runs = new List<Guid>();
        while (await reader.ReadAsync())
        {
            runs.Add(reader.GetGuid(0));
        }

        return runs;
    }
}
