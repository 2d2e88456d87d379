using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// Random histories of tenants, played on the service and on <see cref="MoneyModel"/>; after every sequence both must agree to the
/// micro-unit. The seed is printed; <c>NETAUTOMATION_SEED</c> repeats one.
/// </summary>
[Collection("Money at length")]
public sealed class MoneyPropertyTests(PostgresServer postgres, ITestOutputHelper output)
{
    private const int OfOneTenant = 20, Workers = 4;
    private static readonly int _sequences = Sample.Of(2000);

    [Fact]
    public async Task Sums_equal_and_nothing_is_there_twice()
    {
        var seed = Environment.GetEnvironmentVariable("NETAUTOMATION_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        output.WriteLine($"NETAUTOMATION_SEED={seed}");
        TestContext.Current.SendDiagnosticMessage("money: NETAUTOMATION_SEED={0}", seed);
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(first => Task.Run(async () =>
        {
            await using var fixture = await RunFixture.Start(postgres, 1);
            for (var tenant = first; tenant < _sequences / OfOneTenant; tenant += Workers)
            {
                var history =
                    await TenantHistory.Begin(
                        fixture, new Random(unchecked((seed * 31) + tenant)), direct: tenant % 2 == 1, $"seed {seed}, tenant {tenant}");
                for (var i = 0; i < OfOneTenant; i++)
                {
                    await history.Play();
                }

                await history.Finish();
            }
        })));
    }
}

/// <summary>One tenant's history on the service and in the model.</summary>
internal sealed class TenantHistory
{
    private static readonly string[] _blocks = ["static-routes", "config-backup", "bgp-neighbors"];
    private static readonly string[] _priced =
        ["static-routes/apply/run", "static-routes/apply/device", "static-routes/apply/minute", "static-routes/check/device",
            "config-backup/apply/device", "config-backup/rental/month", "bgp-neighbors/owned/once"];
    private readonly RunFixture _fixture;
    private readonly Random _random;
    private readonly string _name;
    private readonly MoneyModel _model = new();
    private readonly List<string> _steps = [];
    private TestTenant _tenant = null!;
    private DeviceId[] _devices = [];
    private ModelMarketplace? _marketplace;
    private DateTimeOffset _hour = DateTimeOffset.UtcNow.AddHours(1);
    private readonly List<(string Id, MoneyModel.Line[] Lines, string[] Devices)> _quotes = [];

    private TenantHistory(RunFixture fixture, Random random, string name) => (_fixture, _random, _name) = (fixture, random, name);

    private HttpClient Client => _tenant.Client;

    public static async Task<TenantHistory> Begin(RunFixture fixture, Random random, bool direct, string name)
    {
        var history = new TenantHistory(fixture, random, name);
        history._tenant = await fixture.Host.CreateTenant();
        history._marketplace = direct ? null : new ModelMarketplace(random);
        history._devices = [.. await fixture.AddDevices(history._tenant, 3)];
        if (direct)
        {
            var (staff, agreement) = (fixture.Host.Operator(), $"/operator/v1/agreements/{history._tenant.Agreement}");
            (await staff.Call("PATCH", agreement, new { channel = "direct" }, (await staff.Call("GET", agreement)).ETag))
                .Must(HttpStatusCode.OK);
        }

        foreach (var block in _blocks)
        {
            var prices = (await RunFixture.Get(history.Client, $"/v1/blocks/{block}"))["prices"]!;
            foreach (var (part, sku) in (ReadOnlySpan<(string, string)>)[
                ("applyRun", "apply/run"), ("applyDevice", "apply/device"), ("applyMinute", "apply/minute"), ("checkRun", "check/run"),
                ("checkDevice", "check/device"),
                ("checkMinute", "check/minute"), ("rentalMonth", "rental/month"), ("ownedOnce", "owned/once")])
            {
                history._model.Price($"{block}/{sku}", Micros(prices[part]!), 0);
            }

            history._model.Buy(block, "pay_per_use", 0, "", null);
            await fixture.Post(history.Client, "/v1/purchases", new { block, kind = "pay_per_use" });
        }

        return history;
    }

    /// <summary>A sequence of up to ten steps, then a comparison.</summary>
    public async Task Play()
    {
        for (var steps = _random.Next(3, 11); steps > 0; steps--)
        {
            try
            {
                await Step();
            }
            catch (Exception fault) when (fault is not InvalidOperationException)
            {
                throw new InvalidOperationException($"{_name}: {string.Join("; ", _steps.TakeLast(40))}", fault);
            }
        }

        await Compare();
    }

    /// <summary>Completes the queued runs, so that the next tenant's history claims no run of this one, and compares once more.</summary>
    public async Task Finish()
    {
        _steps.Add("finish");
        while (_model.Runs.Values.Any(run => !run.Ended))
        {
            await Settle(crash: false);
            await Resolve();
        }

        await Compare();
        (await _fixture.Scalar<string>(
            $"select coalesce(string_agg(r::text, '; '), '') from billing.reconcile('{_tenant.Id.Value}', 'epoch', '48 hours') r"))
                .ShouldBeEmpty(_name);
        if (_marketplace is not null)
        {
            await CloseHour();
            _marketplace.Well = true;
            var sent = true;
            while (sent)
            {
                sent = await _marketplace.Send(_fixture);
            }

            _marketplace.Units.ShouldBe(_model.Reported, _name);
            (await _fixture.Scalar<long>(
                $"""
                select coalesce((select carry_out_micros from billing.metering_record
                  where tenant_id = '{_tenant.Id.Value}' order by seq desc limit 1), 0)
                """))
                .ShouldBe(_model.Charged - (_model.Reported * ModelMarketplace.Unit), _name);
        }
    }

    private Task Step() => _random.Next(100) switch
    {
        < 8 => ChangePrice(),
        < 13 => Buy(),
        < 17 => SetBudget(),
        < 30 => Quote(),
        < 58 => Launch(),
        < 64 => Cancel(),
        < 79 => Settle(crash: false),
        < 88 => Settle(crash: true),
        < 92 => Reverse(),
        < 93 => ReverseRuns(),
        < 95 => Adjust(),
        < 97 => CloseHour(),
        < 99 => Report(),
        _ => Resolve(),
    };

    private async Task ChangePrice()
    {
        var sku = _priced[_random.Next(_priced.Length)];
        var (unit, free) =
            (_random.Next(4) == 0 ? 0 : _random.NextInt64(1, 2_000_000),
                sku.Contains("apply", StringComparison.Ordinal) ? _random.Next(6) : 0);
        _steps.Add($"price {sku} {unit} free {free}");
        (await _fixture.Host.Operator()
            .Call("POST", "/operator/v1/prices", new { sku, unitPrice = Usd(unit), tenantId = _tenant.Id.ToString(), freePerMonth = free }))
                .Must(HttpStatusCode.Created);
        _model.Price(sku, unit, free);
    }

    private async Task Buy()
    {
        var (block, kind, months) = (_blocks[_random.Next(1, 3)], _random.Next(2) == 0 ? "owned" : "rental", _random.Next(1, 4));
        var max = _random.Next(3) == 0 ? _random.NextInt64(0, 100_000_000) : (long?)null;
        _steps.Add($"buy {block} {kind}");
        var answer =
            await Post(
                "/v1/purchases",
                new Dictionary<string, object?>
                {
                    ["block"] = block, ["kind"] = kind, ["months"] = kind == "rental" ? months : null,
                    ["maxPrice"] = max is { } m ? Usd(m) : null
                });
        var refusal = _model.Buy(block, kind, months, answer.Status == HttpStatusCode.Created ? answer.Id : "", max);
        (answer.Status == HttpStatusCode.Created ? null : answer.Problem).ShouldBe(refusal, answer.Text);
    }

    private async Task SetBudget()
    {
        long? budget = _random.Next(2) == 0 ? null : _model.Charged + _model.Held + _random.NextInt64(0, 3_000_000);
        _steps.Add($"budget {budget}");
        (await Client.Call(
            "PUT", "/v1/budget", new { monthly = budget is { } b ? Usd(b) : null }, (await Client.Call("GET", "/v1/budget")).ETag))
                .Must(HttpStatusCode.OK);
        _model.Budget = budget;
    }

    private async Task Quote()
    {
        var (body, lines, devices) = Body();
        _steps.Add("quote");
        var answer = (await Post("/v1/quotes", body)).Must(HttpStatusCode.Created);
        Micros(JsonNode.Parse(answer.Text)!["ceiling"]!).ShouldBe(lines.Sum(line => line.Quantity * line.Unit), answer.Text);
        _quotes.Add((answer.Id, lines, devices));
    }

    private async Task Launch()
    {
        var (body, lines, devices) = Body();
        if (_quotes.Count > 0 && _random.Next(2) == 0)
        {
            // A quote keeps the prices it was made with.
            var at = _random.Next(_quotes.Count);
            (var quote, lines, devices) = _quotes[at];
            _quotes.RemoveAt(at);
            body = new() { ["quoteId"] = quote };
        }

        var max = _random.Next(4) == 0 ? _random.NextInt64(0, 1_500_000) : (long?)null;
        body["maxPrice"] = max is { } m ? Usd(m) : null;
        var key = $"test-{Guid.NewGuid():n}";
        var answer = await Post("/v1/runs", body, key);
        var (refusal, held) = _model.Hold(lines, max);
        var heldLines = string.Join(',', held.Select(line => $"{line.Sku} {line.Quantity}-{line.FreeHeld}x{line.Unit}"));
        _steps.Add($"launch {heldLines} {refusal ?? answer.Status.ToString()}");
        (answer.Status == HttpStatusCode.Accepted ? null : answer.Problem).ShouldBe(refusal, answer.Text);
        if (refusal is null)
        {
            _model.Start(answer.Id, held, devices);
            if (_random.Next(3) == 0)
            {
                // The answer was lost, and the customer asks again.
                (await Post("/v1/runs", body, key)).Must(HttpStatusCode.Accepted).Id.ShouldBe(answer.Id);
            }
        }
    }

    private async Task Cancel()
    {
        var queued = _model.Runs.Where(run => !run.Value.Ended).Select(run => run.Key).ToList();
        if (queued.Count == 0)
        {
            return;
        }

        var run = queued[_random.Next(queued.Count)];
        if ((await State(run)) is "queued")
        {
            (await Post($"/v1/runs/{run}:cancel", null)).Must(HttpStatusCode.Accepted);
            _steps.Add($"cancel {run}");
            // A run that a lost worker had begun costs its finished devices; with an unknown device it stays open.
            await Ended(run);
        }
    }

    private async Task Settle(bool crash)
    {
        if (await _fixture.Claim() is not { } run)
        {
            return;
        }

        _steps.Add($"claim {run.Id} attempt {run.Attempt}{(crash ? " crash" : "")}");
        var until = crash ? _random.Next(run.Devices.Count + 2) : int.MaxValue;
        if (until > 0)
        {
            (await _fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
            foreach (var device in run.Devices.Take(until - 1))
            {
                (await _fixture.Write(run, RunFixture.Started(device.Id), RunFixture.Reported(device.Id, Outcome()))).ShouldBeTrue();
            }
        }

        if (!crash)
        {
            (await _fixture.Finish(run)).ShouldBeTrue();
            // The answer was lost: a second end must change nothing.
            await _fixture.Finish(run);
        }
        else
        {
            await _fixture.Sql("update runs.run set lease_until = now() - interval '1 hour' where id = $1", run.Id.Value);
            await using var scope = _fixture.Host.Services.CreateAsyncScope();
            (await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.Zero, TimeSpan.Zero, default)).Count.ShouldBe(1);
        }

        await Ended(run.Id.ToString());
    }

    private async Task Resolve()
    {
        foreach (var run in _model.Runs.Where(run => !run.Value.Ended).Select(run => run.Key).ToList())
        {
            if (await State(run) != "unknown")
            {
                continue;
            }

            var verdict = _random.Next(2) == 0 ? "completed" : "abandoned";
            var before = await Devices(run);
            var found = before.Where(device => device.Outcome == "unknown")
                .Select(device => new { deviceId = device.Id, outcome = _random.Next(2) == 0 ? "changed" : "failed" }).ToList();
            _steps.Add($"resolve {run} {verdict}");
            (await Post($"/v1/runs/{run}:resolve", new() { ["verdict"] = verdict, ["evidence"] = "looked", ["devices"] = found }))
                .Must(HttpStatusCode.OK);
            var billable = before.Count(device => device.Outcome is "ok" or "changed")
                + (verdict == "completed" ? found.Count(device => device.outcome == "changed") : 0);
            Micros((await RunFixture.Get(Client, $"/v1/runs/{run}"))["charged"]!).ShouldBe(_model.End(run, billable));
        }
    }

    private async Task Reverse()
    {
        var charges = (await _fixture.Host.Operator().Call("GET", $"/operator/v1/charges?tenantId={_tenant.Id}"))
            .Must(HttpStatusCode.OK).Json.GetProperty("items");
        if (charges.GetArrayLength() == 0)
        {
            return;
        }

        var charge = charges[_random.Next(charges.GetArrayLength())];
        var source = charge.GetProperty("runId").GetString() is { } run
            ? $"{run}/{charge.GetProperty("sku").GetString()!.Split('/')[^1]}" : charge.GetProperty("purchaseId").GetString();
        if (source is null && !charge.GetProperty("amount").GetProperty("amount").GetString()!.StartsWith('-'))
        {
            source = charge.GetProperty("adjustmentId").GetString();
        }

        var (first, document) = (charge.GetProperty("reversedBy").GetString() is null, $"R-{Guid.NewGuid():n}");
        _steps.Add($"reverse {source} {first}");
        var body =
            new
            {
                tenantId = _tenant.Id.ToString(), kind = "reversal", document, reason = "found wrong",
                chargeId = charge.GetProperty("id").GetString()
            };
        if (source is null || !first)
        {
            ((int)(await _fixture.Host.Operator().Call("POST", "/operator/v1/adjustments", body)).Status)
                .ShouldBe(source is null ? 422 : 409);
            return;
        }

        var allowed = _model.Reverse(source);
        (await _fixture.Host.Operator().Call("POST", "/operator/v1/adjustments", body))
            .Must(allowed ? HttpStatusCode.Created : HttpStatusCode.UnprocessableEntity);
        (await _fixture.Host.Operator().Call("POST", "/operator/v1/adjustments", body))
            .Must(allowed ? HttpStatusCode.OK : HttpStatusCode.UnprocessableEntity);
    }

    private async Task ReverseRuns()
    {
        var block = _blocks[_random.Next(2)];
        _steps.Add($"reverse runs of {block}");
        var version = (await RunFixture.Get(Client, $"/v1/blocks/{block}"))["versions"]![0]!["version"]!.GetValue<string>();
        var now = DateTimeOffset.UtcNow;
        var body =
            new
            {
                block, version, from = now.AddDays(-1), to = now.AddDays(1), reason = "found wrong", dryRun = false,
                tenantId = _tenant.Id.ToString()
            };
        var (amount, all) = _model.ReverseRuns(block);
        foreach (var status in (HttpStatusCode[])[HttpStatusCode.Created, HttpStatusCode.OK])
        {
            var made = (await _fixture.Host.Operator().Call("POST", "/operator/v1/reversals", body)).Must(status).Json;
            made.GetProperty("reversal").Micros("amount").ShouldBe(-amount, made.GetRawText());
            (made.GetProperty("refused").GetArrayLength() == 0).ShouldBe(all, made.GetRawText());
        }
    }

    private async Task Adjust()
    {
        var (amount, document) = (_random.NextInt64(-3_000_000, 1_000_000), $"A-{Guid.NewGuid():n}");
        if (amount == 0)
        {
            return;
        }

        _steps.Add($"adjust {amount}");
        var body =
            new
            {
                tenantId = _tenant.Id.ToString(), kind = amount < 0 ? "credit" : "debit", document, reason = "goodwill",
                amount = Usd(Math.Abs(amount))
            };
        var answer = await _fixture.Host.Operator().Call("POST", "/operator/v1/adjustments", body);
        answer.Status.ShouldBe(
            _model.Adjust(answer.Status == HttpStatusCode.Created ? answer.Id : document, amount)
                ? HttpStatusCode.Created : HttpStatusCode.UnprocessableEntity, answer.Text);
    }

    private async Task CloseHour()
    {
        if (_marketplace is not null)
        {
            _steps.Add("hour closes");
            _hour += TimeSpan.FromHours(1);
            await ModelMarketplace.Seal(_fixture, _tenant.Id, _hour);
            _model.CloseHour(ModelMarketplace.Unit);
        }
    }

    private async Task Report()
    {
        if (_marketplace is not null)
        {
            _steps.Add("report");
            await _marketplace.Send(_fixture);
        }
    }

    /// <summary>If the run has ended, ends it in the model by the outcomes of its devices.</summary>
    private async Task Ended(string run)
    {
        var view = await RunFixture.Get(Client, $"/v1/runs/{run}");
        if (view["terminal"]!.GetValue<bool>())
        {
            Micros(view["charged"]!).ShouldBe(_model.End(run, (await Devices(run)).Count(device => device.Outcome is "ok" or "changed")));
        }
    }

    private async Task Compare()
    {
        var tenant = _tenant.Id.Value;
        var rows = await _fixture.Scalar<string>(
            $"""
            select concat_ws(' ',
              (select coalesce(sum(amount_micros), 0) from billing.charge where tenant_id = '{tenant}'),
              (select count(*) from billing.charge where tenant_id = '{tenant}'),
              (select coalesce(sum(r.amount_micros), 0) from billing.reservation r where tenant_id = '{tenant}'
                 and not exists (select from billing.settlement s where s.reservation_id = r.id)),
              (select coalesce(sum(quantity), 0) from billing.usage_event where tenant_id = '{tenant}'),
              (select count(*) from runs.run where tenant_id = '{tenant}'),
              (select coalesce(sum(charged_micros), 0) from runs.run where tenant_id = '{tenant}'))
            """);
        var expected =
            string.Join(
                ' ', _model.Charged, _model.Charges.Count, _model.Held, _model.Usage, _model.Runs.Count,
                _model.Runs.Values.Sum(run => run.Charged));
        rows.ShouldBe(expected, $"charged, charges, held, usage, runs, cost of runs; {_name}: {string.Join("; ", _steps.TakeLast(60))}");
        _model.Charges.Select(charge => charge.Source).Distinct().Count().ShouldBe(_model.Charges.Count);
        var budget = await RunFixture.Get(Client, "/v1/budget");
        (Micros(budget["charged"]!), Micros(budget["reserved"]!)).ShouldBe((_model.Charged, _model.Held), _name);
        var months = (await RunFixture.Get(Client, "/v1/invoices"))["items"]!.AsArray();
        months.Sum(month => Micros(month!["total"]!) - Micros(month["rounding"]!)).ShouldBe(_model.Charged, _name);
    }

    private (Dictionary<string, object?> Body, MoneyModel.Line[] Lines, string[] Devices) Body()
    {
        var read = _random.Next(4) == 0;
        var (block, mode) = read ? ("config-backup", "apply") : ("static-routes", _random.Next(4) == 0 ? "check" : "apply");
        string[] devices = [.. _devices.Where(_ => _random.Next(2) == 0).DefaultIfEmpty(_devices[0]).Select(device => device.ToString())];
        var minutes = _random.Next(1, 4);
        return (new()
        {
            ["block"] = block, ["mode"] = read ? null : mode, ["targets"] = new { deviceIds = devices }, ["timeoutSeconds"] = minutes * 60,
            ["input"] = read ? new { } : new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
        }, _model.Quote(block, mode, devices.Length, minutes), devices);
    }

    private DeviceOutcome Outcome() => _random.Next(20) switch
    {
        < 8 => DeviceOutcome.Changed,
        < 14 => DeviceOutcome.Ok,
        < 16 => DeviceOutcome.Failed,
        < 18 => DeviceOutcome.Unreachable,
        _ => DeviceOutcome.Unknown,
    };

    private async Task<string> State(string run) => (await RunFixture.Get(Client, $"/v1/runs/{run}"))["state"]!.GetValue<string>();

    private async Task<List<(string Id, string? Outcome)>> Devices(string run) =>
        [.. (await RunFixture.Get(Client, $"/v1/runs/{run}/devices"))["items"]!.AsArray()
            .Select(item => (item!["deviceId"]!.GetValue<string>(), item["outcome"]?.GetValue<string>()))];

    private Task<Answer> Post(string path, Dictionary<string, object?>? body, string? key = null) =>
        Send(path, body?.Where(member => member.Value is not null).ToDictionary(), key);

    private async Task<Answer> Send(string path, Dictionary<string, object?>? body, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Content = body is null ? null : JsonContent.Create(body);
        request.Headers.Add("Idempotency-Key", key ?? $"test-{Guid.NewGuid():n}");
        using var response = await Client.SendAsync(request);
        return new Answer(response.StatusCode, await response.Content.ReadAsStringAsync(), null, null);
    }

    private static object Usd(long micros) =>
        new { amount = (micros / 1_000_000m).ToString(CultureInfo.InvariantCulture), currency = "USD" };

    private static long Micros(JsonNode money) =>
        (long)(decimal.Parse(money["amount"]!.GetValue<string>(), CultureInfo.InvariantCulture) * 1_000_000m);
}
