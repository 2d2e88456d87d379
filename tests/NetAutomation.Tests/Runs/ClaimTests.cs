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
        await using var ground = await RunGround.Start(postgres, 1);
        var (mine, other, theirs) = (await Template(ground, ground.Tenant), await Another(ground, 1), new List<TenantId>());
        await ground.Queue(mine, [.. Enumerable.Range(0, 5).Select(i => new WaitingRun([ground.Devices[0]], Age: TimeSpan.FromHours(1)))]);
        await ground.Queue(other.Template, [.. Enumerable.Range(0, 5).Select(i => new WaitingRun([other.Devices[0]]))]);
        for (var i = 0; i < 10; i++)
        {
            var run = (await ground.Claim())!;
            theirs.Add(run.Tenant);
            await ground.Work(run);
        }

        theirs.Chunk(2).ShouldAllBe(pair => pair[0] != pair[1]);
    }

    [Fact]
    public async Task A_tenant_of_more_weight_has_more_running()
    {
        await using var ground = await RunGround.Start(postgres, 12);
        var (mine, other) = (await Template(ground, ground.Tenant), await Another(ground, 12));
        await ground.Queue(mine, [.. ground.Devices.Select(device => new WaitingRun([device]))]);
        await ground.Queue(other.Template, [.. other.Devices.Select(device => new WaitingRun([device]))]);
        await ground.Sql(
            "insert into runs.tenant_quota (tenant_id, weight) values ($1, 3) on conflict (tenant_id) do update set weight = 3",
            ground.Tenant.Id.Value);
        var running = new List<ClaimedRun>();
        for (var i = 0; i < 8; i++)
        {
            running.Add((await ground.Claim())!);
        }

        running.Count(run => run.Tenant == ground.Tenant.Id).ShouldBe(6);
    }

    [Fact]
    public async Task Of_very_many_tenants_the_only_one_with_room_is_found_and_then_each_is_served_once()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var tenants = new List<Guid>();
        for (var i = 0; i < 70; i++)
        {
            var (template, devices, _) = await Another(ground, 1);
            await ground.Queue(template, new WaitingRun([devices[0]]), new WaitingRun([devices[0]], false));
            tenants.Add(template.Tenant.Value);
        }

        await ground.Sql(
            """
            insert into runs.tenant_quota (tenant_id, max_running)
            select t, 0 from unnest($1) t on conflict (tenant_id) do update set max_running = 0
            """, tenants.Take(69).ToArray());
        var only = (await ground.Claim())!;
        only.Tenant.Value.ShouldBe(tenants[69]);
        (await ground.Claim()).ShouldBeNull();
        await ground.Sql("update runs.tenant_quota set max_running = 20");
        var served = new List<Guid> { only.Tenant.Value };
        while (await ground.Claim() is { } run)
        {
            served.Add(run.Tenant.Value);
        }

        served.ShouldBe(tenants, ignoreOrder: true);
    }

    [Fact]
    public async Task A_run_that_waits_is_looked_at_once_until_what_it_waits_for_ends()
    {
        await using var ground = await RunGround.Start(postgres, 3);
        var template = await Template(ground, ground.Tenant);
        var holder = new WaitingRun([ground.Devices[0]], Age: TimeSpan.FromHours(2));
        await ground.Queue(
            template,
            [holder,
                .. Enumerable.Range(0, 200)
                    .Select(i => new WaitingRun([ground.Devices[0], ground.Devices[1]], Age: TimeSpan.FromSeconds(200 - i)))]);
        var first = (await ground.Claim())!;
        first.Id.ShouldBe(holder.Id);
        (await ground.Claim()).ShouldBeNull();
        (await Ready(ground)).ShouldBe(0);
        await ground.Queue(template, new WaitingRun([ground.Devices[2]]));
        await ground.Work((await ground.Claim())!);
        (await Ready(ground)).ShouldBe(0, "another device was given back");
        await ground.Work(first);
        (await Ready(ground)).ShouldBe(1, "the first in line");
        (await ground.Claim()).ShouldNotBeNull();
    }

    [Fact]
    public async Task Readers_queued_after_a_writer_do_not_get_past_it_on_any_of_its_devices()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        var template = await Template(ground, ground.Tenant);
        var (a, b) = (ground.Devices[0], ground.Devices[1]);
        WaitingRun first = new([a], false), writer = new([a, b]), onA = new([a], false), onB = new([b], false);
        await ground.Queue(template, first);
        var reading = (await ground.Claim())!;
        await ground.Queue(template, writer);
        (await ground.Claim()).ShouldBeNull();
        await ground.Queue(template, onA);
        await ground.Queue(template, onB with { Priority = 5 });
        (await ground.Claim()).ShouldBeNull();
        await ground.Work(reading);
        var writing = (await ground.Claim())!;
        writing.Id.ShouldBe(writer.Id);
        (await ground.Claim()).ShouldBeNull();
        await ground.Work(writing);
        (await ground.Claim()).ShouldNotBeNull();
        (await ground.Claim()).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_writer_that_waits_for_another_writer_bars_no_reader()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        var template = await Template(ground, ground.Tenant);
        var (a, b) = (ground.Devices[0], ground.Devices[1]);
        await ground.Queue(template, new WaitingRun([b], false));
        var reading = (await ground.Claim())!;
        await ground.Queue(template, new WaitingRun([a, b]));
        (await ground.Claim()).ShouldBeNull("it waits for the reader");
        await ground.Queue(template, new WaitingRun([a]));
        var writing = (await ground.Claim())!;
        var reader = new WaitingRun([b], false);
        await ground.Queue(template, reader);
        (await ground.Claim())!.Id.ShouldBe(reader.Id, "now it waits for a writer");
        await ground.Work(reading);
        await ground.Work(writing);
        (await ground.Claim()).ShouldBeNull();
    }

    [Fact]
    public async Task A_cancelled_writer_lets_the_readers_behind_it_go()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var template = await Template(ground, ground.Tenant);
        await ground.Queue(template, new WaitingRun(ground.Devices, false));
        (await ground.Claim()).ShouldNotBeNull();
        WaitingRun writer = new(ground.Devices), reader = new(ground.Devices, false);
        await ground.Queue(template, writer);
        (await ground.Claim()).ShouldBeNull();
        await ground.Queue(template, reader);
        (await ground.Claim()).ShouldBeNull();
        await ground.Post(ground.Client, $"/v1/runs/{writer.Id}:cancel", new { });
        (await ground.Claim())!.Id.ShouldBe(reader.Id);
    }

    [Fact]
    public async Task A_queued_run_that_kept_its_devices_is_claimed_with_new_holds()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await ground.Write(run, RunGround.Started(run.Devices[0].Id), RunGround.Reported(run.Devices[0].Id, DeviceOutcome.Changed)))
            .ShouldBeTrue();
        await ground.Sql($"select runs.lose('{run.Tenant.Value}', '{run.Id.Value}', {run.Fence}, 'test', 'worker_lost')");
        var other = await ground.StartRun();
        var again = (await ground.Claim())!;
        again.Id.ShouldBe(run.Id);
        again.Devices.Select(device => device.Id).ShouldBe([run.Devices[1].Id]);
        (await ground.Scalar<long>(
            $"select count(*) from runs.device_hold where fence = {again.Fence} and device_id = '{run.Devices[1].Id.Value}'")).ShouldBe(1);
        (await ground.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(1, "what has an outcome is not held");
        (await ground.Claim()).ShouldBeNull($"{other} waits");
    }

    [Fact]
    public async Task Runs_that_waited_for_a_connector_start_in_order_when_it_is_back()
    {
        await using var ground = await RunGround.Start(postgres, 40);
        var template = await Template(ground, ground.Tenant);
        await ground.Sql("update connectors.connector_session set state = 'closed'");
        var runs = ground.Devices.Select((device, i) => new WaitingRun([device], Priority: i % 3, Age: TimeSpan.FromSeconds(i))).ToList();
        await ground.Sql(
            """
            insert into runs.tenant_quota (tenant_id, max_running) values ($1, 100) on conflict (tenant_id) do update set max_running = 100
            """, ground.Tenant.Id.Value);
        await ground.Queue(template, runs);
        (await ground.Claim()).ShouldBeNull();
        (await Ready(ground)).ShouldBe(0);
        await ground.Sql("update connectors.connector_session set state = 'attached'");
        var claimed = new List<RunId>();
        while (await ground.Claim() is { } run)
        {
            claimed.Add(run.Id);
        }

        claimed.ShouldBe(runs.OrderByDescending(run => run.Priority).ThenByDescending(run => run.Age).Select(run => run.Id));
    }

    [Fact]
    public async Task A_session_nobody_has_seen_for_a_minute_is_no_way_to_a_device()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        await ground.Sql("update connectors.connector_session set seen_at = now() - interval '2 minutes'");
        var run = await ground.StartRun();
        (await ground.Claim()).ShouldBeNull();
        (await RunGround.Get(ground.Client, $"/v1/runs/{run}/why"))["gates"]![0]!["code"]!.GetValue<string>().ShouldBe("connector_absent");
        await ground.Sql("update connectors.connector_session set seen_at = now()");
        (await ground.Claim())!.Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_run_of_higher_priority_starts_first()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        static object Run(int? priority) =>
            new
            {
                block = "static-routes", mode = "apply", targets = new { all = true },
                input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }, priority
            };
        var (plain, urgent) = (await ground.StartRun(Run(null)), await ground.StartRun(Run(9)));
        (await RunGround.Get(ground.Client, $"/v1/runs/{urgent}"))["priority"]!.GetValue<int>().ShouldBe(9);
        var first = (await ground.Claim())!;
        first.Id.ShouldBe(urgent);
        await ground.Work(first);
        (await ground.Claim())!.Id.ShouldBe(plain);
        (await RunGround.Post(ground.Client, "/v1/runs", Run(10), null, 422))["errors"]![0]!["pointer"]!.GetValue<string>()
            .ShouldBe("/priority");
    }

    [Fact]
    public async Task A_tenant_at_its_cap_waits_and_why_says_so()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        var template = await Template(ground, ground.Tenant);
        await ground.Sql(
            "insert into runs.tenant_quota (tenant_id, max_running) values ($1, 1) on conflict (tenant_id) do update set max_running = 1",
            ground.Tenant.Id.Value);
        WaitingRun one = new([ground.Devices[0]], Age: TimeSpan.FromHours(1)), two = new([ground.Devices[1]]);
        await ground.Queue(template, one, two);
        var first = (await ground.Claim())!;
        (await ground.Claim()).ShouldBeNull();
        (await Why(ground, two.Id)).ShouldBe(["quota"]);
        await ground.Work(first);
        (await Why(ground, two.Id)).ShouldBe(["queue"]);
        (await ground.Claim())!.Id.ShouldBe(two.Id);
    }

    [Fact]
    public async Task A_reader_behind_a_waiting_writer_is_told_so()
    {
        await using var ground = await RunGround.Start(postgres, 1);
        var template = await Template(ground, ground.Tenant);
        WaitingRun reads = new(ground.Devices, false), writes = new(ground.Devices), behind = new(ground.Devices, false);
        await ground.Queue(template, reads);
        var reading = (await ground.Claim())!;
        await ground.Queue(template, writes);
        (await ground.Claim()).ShouldBeNull();
        await ground.Queue(template, behind);
        (await ground.Claim()).ShouldBeNull();
        (await Why(ground, writes.Id)).ShouldBe(["device_held"]);
        (await Why(ground, behind.Id)).ShouldBe(["writer_waiting"]);
        await ground.Work(reading);
        (await Why(ground, writes.Id)).ShouldBe(["queue"]);
        await ground.Work((await ground.Claim())!);
        (await Why(ground, behind.Id)).ShouldBe(["queue"]);
        (await ground.Claim())!.Id.ShouldBe(behind.Id);
    }

    [Fact]
    public async Task A_lost_run_says_what_it_waits_for()
    {
        await using var ground = await RunGround.Start(postgres, 2);
        await ground.StartRun();
        var run = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await Why(ground, run.Id)).ShouldBeEmpty();
        await ground.Sql("update runs.run set lease_until = now() - interval '1 second'");
        (await Why(ground, run.Id)).ShouldBe(["worker_lost"]);
        (await ground.Write(run, RunGround.Reported(run.Devices[0].Id, DeviceOutcome.Unknown))).ShouldBeTrue();
        (await ground.Finish(run)).ShouldBeTrue();
        (await Why(ground, run.Id)).ShouldBe(["resolution"]);
    }

    [Fact]
    public async Task Eight_workers_and_a_thousand_runs_never_overlap_on_a_device_nor_pass_a_cap_and_leave_nothing()
    {
        const int Workers = 8, Count = 1000, Cap = 3;
        await using var ground = await RunGround.Start(postgres, 25);
        var (mine, other, random) = (await Template(ground, ground.Tenant), await Another(ground, 25), new Random(7));
        foreach (var (template, devices) in new[] { (mine, ground.Devices), (other.Template, other.Devices) })
        {
            await ground.Sql(
                """
                insert into runs.tenant_quota (tenant_id, max_running) values ($1, $2)
                on conflict (tenant_id) do update set max_running = $2
                """, template.Tenant.Value, Cap);
            await ground.Queue(template, [.. Enumerable.Range(0, Count / 2).Select(i => new WaitingRun(
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
                var run = await ground.Claim($"w{worker}");
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
                (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
                Note(run, -1);
                (await ground.Finish(run)).ShouldBeTrue();
                Interlocked.Increment(ref done);
            }
        })));

        output.WriteLine(
            $"{Workers} workers, {Count} runs, 50 devices: {Count / clock.Elapsed.TotalSeconds:f0} runs/s, "
            + $"{claiming.TotalMilliseconds / Count:f1} ms in claims for each");
        done.ShouldBe(Count);
        overlaps.ShouldBeEmpty();
        most.Values.Max().ShouldBeLessThanOrEqualTo(Cap);
        (await ground.Scalar<long>(
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
    public async Task A_claim_takes_what_comes_next_and_leaves_nothing_that_could_start(int seed)
    {
        await using var ground = await RunGround.Start(postgres, 5);
        var (mine, other, random) = (await Template(ground, ground.Tenant), await Another(ground, 5), new Random(seed));
        (TestTenantRun Template, DeviceId[] Devices)[] tenants = [(mine, [.. ground.Devices]), (other.Template, [.. other.Devices])];
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
                    await ground.Queue(template, added);
                    queued.Add((template, added.Id));
                    break;
                case < 8 when running.Count > 0:
                    var ended = running[random.Next(running.Count)];
                    running.Remove(ended);
                    (await ground.Journal(journal => journal.Start(ended, default))).ShouldBeTrue();
                    (await ground.Finish(ended)).ShouldBeTrue();
                    break;
                case 8 when queued.Count > 0:
                    var gone = queued[random.Next(queued.Count)];
                    queued.Remove(gone);
                    var tenantClient = gone.Of == mine ? ground.Client : other.Client;
                    await ground.Post(tenantClient, $"/v1/runs/{gone.Id}:cancel", new { });
                    break;
                case 9 when random.Next(2) == 0:
                    await ground.Sql(
                        """
                        update connectors.connector_session set state = case when state = 'attached' then 'closed' else 'attached' end
                        where tenant_id = $1
                        """, template.Tenant.Value);
                    break;
                default:
                    await ground.Sql(
                        "update runs.tenant_quota set weight = $2, max_running = greatest(running, $3) where tenant_id = $1",
                        template.Tenant.Value, random.Next(1, 4), random.Next(1, 8));
                    break;
            }

            var (could, behind, barred) = (await Startable(ground), await Behind(ground, false), await Behind(ground, true));
            var claimed = await ground.Claim();
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
        await using var ground = await RunGround.Start(postgres, 50);
        var (mine, b) = (await Template(ground, ground.Tenant), await Another(ground, 10));
        using var stop = new CancellationTokenSource();
        var signals = ground.Host.Services.GetRequiredService<RunSignals>();
        var workers = Enumerable.Range(0, Loops).Select(worker => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var work = signals.Work;
                if (await ground.Claim($"w{worker}") is not { } run)
                {
                    await signals.Wait(work, TimeSpan.FromMilliseconds(500), TimeProvider.System, default);
                    continue;
                }

                (await ground.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
                await Task.Delay(100);
                (await ground.Finish(run)).ShouldBeTrue();
            }
        })).ToList();

        var alone = await Waits();
        await ground.Queue(
            mine, [.. Enumerable.Range(0, 5000)
                .Select(i => new WaitingRun([ground.Devices[i % 50]], i % 2 == 0, 0, TimeSpan.FromMinutes(1)))]);
        var beside = await Waits();
        var left = await ground.Scalar<long>("select count(*) from runs.queue");
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
                started.Add(await ground.StartRun(
                    new
                    {
                        block = "static-routes", mode = "apply",
                        targets = new { deviceIds = new[] { b.Devices[i % b.Devices.Count].ToString() } },
                        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } }
                    }, b.Client));
            }

            var ids = string.Join(",", started.Select(run => $"'{run.Value}'"));
            await Eventually.Holds(
                async () => await ground.Scalar<long>($"select count(*) from runs.attempt where run_id in ({ids})") == Launches);
            return await ground.Scalar<double[]>(
                $"""
                select array_agg(extract(epoch from a.claimed_at - r.created_at)::float8 order by a.claimed_at - r.created_at)
                from runs.run r join runs.attempt a on a.tenant_id = r.tenant_id and a.run_id = r.id where r.id in ({ids})
                """);
        }
    }

    private static double At(double[] sorted, int percent) => sorted[(int)Math.Ceiling(sorted.Length * percent / 100.0) - 1];

    /// <summary>A run of the tenant that has ended and serves as the template of copies.</summary>
    private static async Task<TestTenantRun> Template(RunGround ground, TestTenant tenant)
    {
        var run = await ground.StartRun(client: tenant.Client);
        await ground.Post(tenant.Client, $"/v1/runs/{run}:cancel", new { });
        return new TestTenantRun(tenant.Id, run);
    }

    private static async Task<(TestTenantRun Template, IReadOnlyList<DeviceId> Devices, HttpClient Client)> Another(
        RunGround ground, int devices)
    {
        var tenant = await ground.Host.CreateTenant();
        var ids = await ground.Equip(tenant, devices);
        await ground.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        return (await Template(ground, tenant), ids, tenant.Client);
    }

    private static async Task<string[]> Why(RunGround ground, RunId run) =>
        [.. (await RunGround.Get(ground.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray()
            .Select(gate => gate!["code"]!.GetValue<string>())];

    private static Task<long> Ready(RunGround ground) => ground.Scalar<long>("select count(*) from runs.queue where ready");

    /// <summary>
    /// The runs that could start, without writers that hold readers back: the fairest tenant first, then priority, then age.
    /// </summary>
    private static Task<List<Guid>> Startable(RunGround ground) => Runs(
        ground,
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
    private static async Task<HashSet<Guid>> Behind(RunGround ground, bool found) => [.. await Runs(
        ground,
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

    private static async Task<List<Guid>> Runs(RunGround ground, string sql)
    {
        await using var source = NpgsqlDataSource.Create(ground.Database.Owner);
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
