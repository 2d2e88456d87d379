using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Runs;
using NetAutomation.Tests.Billing;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

/// <summary>
/// One tenant learns nothing about another. The operations come from the served document, so a new operation is covered or fails.
/// </summary>
public sealed partial class TenantMatrixTests(PostgresServer postgres)
{
    private static readonly string[] _verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    private static readonly string[] _malformed =
        ["x", "run_", "dev_zzzzzzzzzzzzzzzzzzzzzzzzzz", "99999999999999999999", "%F0%9F%A6%80", "a%2Fb"];

    // Blocks and connector releases are the same for every tenant.
    private static readonly string[] _public = ["block", "version", "rid", "name"];

    // Members of bodies that hold ids, and what makes those bodies whole.
    private static readonly string[] _named =
        ["siteId", "credentialId", "hostKeySha256", "targets", "run", "runs", "block", "mode", "input", "cron", "timeZone"];

    // Every other one takes an id of the tenant's: in its path, as a filter or in its body.
    private static readonly string[] _withoutIds =
    [
        "ListBlocks", "ShowBlock", "ShowBlockVersion", "ListPlatforms", "DownloadConnector", "GetMe", "ListAudit", "ReadFeed",
        "ExportTenant", "ListLimits", "ListMembers", "CreateMember", "ListApiKeys", "BuyBlock", "ListPurchases",
        "ListEntitlements", "CreateSite", "ListSites",
        "CreateCredential", "ListCredentials", "ListAwsAccounts", "ClaimAwsAccount", "CreateWindow", "ListWindows", "ListSchedules",
        "ListPlans", "GetChangePolicy", "PutChangePolicy",
        "ListUsage", "ExportFocus", "ListInvoices", "GetBudget", "PutBudget", "ExportReceipts", "ImportDevices",
        "SearchConfigs", "GetConfigRetention", "PutConfigRetention",
    ];

    [Fact]
    public async Task Another_tenants_id_is_answered_like_one_that_does_not_exist()
    {
        await using var fixture = await RunFixture.Start(postgres);
        await using var rows = new DatabaseRows(fixture.Database);
        var operations = await ApiOperation.All(fixture.Client);
        var theirs = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        var mine = await FullTenant.Fill(fixture, await fixture.Host.CreateTenant(), operations);

        var before = await rows.Snapshot();
        var (faults, compared) = (new List<string>(), 0);
        foreach (
            var paths in operations.Where(each => each.PathParameters.Except(_public, StringComparer.Ordinal).Any())
                .GroupBy(each => each.Path))
        {
            foreach (var verb in _verbs)
            {
                var operation = paths.FirstOrDefault(each => each.Verb == verb) ?? paths.First();
                var nowhere =
                    await Ask(mine, operation, verb, operation.At(name => Fill(name, () => MissingId(theirs.PathId(operation, name)))));
                var cases = new[] { operation.At(name => Fill(name, () => theirs.PathId(operation, name))) }
                    .Concat(_malformed.Select(id => operation.At(name => Fill(name, () => id))))
                    .Concat(
                        operation.PathParameters.Contains("deviceId")
                            ? [operation.At(name => Fill(name, () => (name == "deviceId" ? theirs : mine).PathId(operation, name)))] : []);
                foreach (var path in cases)
                {
                    compared++;
                    var answer = await Ask(mine, operation, verb, path);
                    if (answer != nowhere)
                    {
                        faults.Add($"{verb} {path}: {answer} instead of {nowhere}");
                    }
                }

                if (operation.Verb == verb && nowhere.Status != 404)
                {
                    faults.Add($"{verb} {operation.Path}: {nowhere}");
                }
            }
        }

        faults.ShouldBeEmpty();
        compared.ShouldBeGreaterThan(700);
        (await rows.Snapshot()).ShouldBe(before);
    }

    [Fact]
    public async Task Another_tenants_id_in_a_body_or_a_filter_is_answered_like_one_that_does_not_exist()
    {
        await using var fixture = await RunFixture.Start(postgres);
        await using var rows = new DatabaseRows(fixture.Database);
        var operations = await ApiOperation.All(fixture.Client);
        var theirs = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        var mine = await FullTenant.Fill(fixture, await fixture.Host.CreateTenant(), operations);

        var before = await rows.Snapshot();
        var (faults, compared) = (new List<string>(), 0);
        foreach (var operation in operations)
        {
            var path = operation.At(name => _public.Contains(name, StringComparer.Ordinal) ? "x" : mine.PathId(operation, name));
            foreach (var filter in Filters(operation))
            {
                var id = theirs.ByCollection[$"/v1/{filter.Replace("Id", "", StringComparison.Ordinal)}s"];
                await Compare(operation, $"{path}?{filter}={id}", null, $"{path}?{filter}={MissingId(id)}", null);
            }

            foreach (var prefix in NamedPrefixes(operation))
            {
                var id = theirs.PrefixId(prefix);
                JsonObject Body(string other) => NamedBody(operation, each => each == prefix ? other : mine.PrefixId(each))!;
                var (first, second) = (Body(id), Body(MissingId(id)));
                UseSameNames(second, first);
                await Compare(operation, path, first, path, second);
            }

            async Task Compare(ApiOperation each, string at, JsonObject? body, string elsewhere, JsonObject? other)
            {
                compared++;
                var (one, two) = (await Ask(mine, each, each.Verb, at, body), await Ask(mine, each, each.Verb, elsewhere, other));
                if (one != two || one.Text.Contains(theirs.Tenant.Account, StringComparison.Ordinal)
                    || (body is not null && one.Status < 400))
                {
                    faults.Add($"{each.Verb} {at}: {one} instead of {two}");
                }
            }
        }

        var start = operations.Single(each => each.Name == "StartRun");
        var quote = theirs.ByCollection["/v1/quotes"];
        var refused = await Ask(mine, start, "POST", start.Path, new() { ["quoteId"] = quote });
        refused.ShouldBe(await Ask(mine, start, "POST", start.Path, new() { ["quoteId"] = MissingId(quote) }));
        refused.Status.ShouldBe(422);
        var plan = theirs.ByCollection["/v1/plans"];
        refused = await Ask(mine, start, "POST", start.Path, new() { ["planId"] = plan });
        refused.ShouldBe(await Ask(mine, start, "POST", start.Path, new() { ["planId"] = MissingId(plan) }));
        refused.Status.ShouldBe(422);

        faults.ShouldBeEmpty();
        compared.ShouldBeGreaterThan(12);
        (await rows.Snapshot()).ShouldBe(before);
    }

    /// <summary>
    /// A matrix of refusals alone would also hold for a service that finds nothing. So each operation that takes an id of the tenant's is
    /// asked with one that is there, as it is used.
    /// </summary>
    [Fact]
    public async Task Own_id_gets_the_documented_success_at_every_operation_that_takes_one()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var operations = await ApiOperation.All(fixture.Client);
        var mine = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        var (faults, asked) = (new List<string>(), new HashSet<string>(StringComparer.Ordinal));

        // What ends an object comes last.
        foreach (var operation in operations.OrderBy(each => Array.IndexOf(_verbs, each.Verb)))
        {
            var own = await OwnRequest(fixture, mine, operation);
            var path = operation.At(name => name is "id" or "account" && own.Id is not null ? own.Id
                : _public.Contains(name, StringComparer.Ordinal) ? Fill(name, () => "") : mine.PathId(operation, name));
            foreach (var filter in Filters(operation))
            {
                asked.Add(operation.Name);
                await Succeeds($"{path}?{filter}={mine.ByCollection[$"/v1/{filter.Replace("Id", "", StringComparison.Ordinal)}s"]}", null);
            }

            if (operation.PathParameters.Except(_public, StringComparer.Ordinal).Any() || NamedPrefixes(operation).Any())
            {
                asked.Add(operation.Name);
                await Succeeds(path, own.Body);
            }

            async Task Succeeds(string at, JsonObject? body)
            {
                var answer = await Ask(mine, operation, operation.Verb, at, body);
                if (answer.Status is < 200 or > 299 || !operation.Statuses.Contains(answer.Status))
                {
                    faults.Add($"{operation.Name}: {operation.Verb} {at}: {answer}");
                }
            }
        }

        faults.ShouldBeEmpty();
        asked.Order(StringComparer.Ordinal).ShouldBe(
            operations.Select(each => each.Name).Except(_withoutIds).Order(StringComparer.Ordinal),
            "an operation takes ids, or it is named as one that takes none");
    }

    [Fact]
    public async Task No_list_shows_what_another_tenant_has()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var operations = await ApiOperation.All(fixture.Client);
        var theirs = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        var mine = await FullTenant.Fill(fixture, await fixture.Host.CreateTenant(), operations);
        string[] foreign =
            [theirs.Tenant.Account, theirs.Tenant.EndpointId, theirs.Tenant.Id.ToString(),
                .. theirs.ByCollection.Where(each => each.Key != "/v1/blocks").Select(each => each.Value)];
        var lists = operations.Where(each => each is { Verb: "GET", PathParameters: [] }).ToList();
        lists.Count.ShouldBeGreaterThan(12);
        foreach (var list in lists)
        {
            var answer = await mine.Client.Call("GET", list.Path + (list.Name == "SearchConfigs" ? "?q=hostname" : ""));
            ((int)answer.Status).ShouldBe(200);
            foreign.ShouldAllBe(text => !answer.Text.Contains(text, StringComparison.Ordinal), list.Path);
            theirs.ByCollection.Where(each => each.Key == list.Path && each.Key != "/v1/blocks")
                .ShouldAllBe(each => mine.ByCollection.ContainsKey(each.Key));
        }
    }

    [Fact]
    public async Task Every_wrong_pair_of_endpoint_and_key_gets_the_same_bytes()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api"]);
        var (one, two) = (await host.CreateTenant(), await host.CreateTenant());
        HttpClient[] wrong =
        [
            host.Customer(two.EndpointId, one.Key), host.Customer(one.EndpointId, two.Key), host.Customer(one.EndpointId, one.Key[..^1]),
            host.Customer(one.EndpointId, "nak_unknown"),
            host.Customer(one.EndpointId, null), host.Customer("vpce-0fffffffffffffff0", one.Key),
        ];
        foreach (
            var (verb, path) in new[] {
                ("GET", "/v1/me"), ("GET", "/v1/devices/x"), ("POST", "/v1/runs"), ("DELETE", "/v1/sites/x"), ("GET", "/v1/nothing"),
                ("PUT", "/v1/me") })
        {
            var answers = new List<string>();
            foreach (var client in wrong)
            {
                using var request = new HttpRequestMessage(new HttpMethod(verb), path);
                using var answer = await client.SendAsync(request);
                ((int)answer.StatusCode).ShouldBe(401);
                var body = TraceIds().Replace(await answer.Content.ReadAsStringAsync(), "");
                answers.Add($"{answer.Headers.WwwAuthenticate} {answer.Content.Headers.ContentType} {body}");
            }

            answers.Distinct(StringComparer.Ordinal).ShouldHaveSingleItem(path);
        }
    }

    /// <summary>
    /// The request of someone who uses the operation: an object in the state for it, where the tenant's first one is not, and a body.
    /// </summary>
    private static async Task<(string? Id, JsonObject? Body)> OwnRequest(RunFixture fixture, FullTenant mine, ApiOperation operation)
    {
        switch (operation.Name)
        {
            case "GetInvoiceDocument":
                var books = BooksFixture.Of(fixture);
                await books.AMonthPasses();
                await books.Meter();
                return ((await books.Issue()).Text("id"), null);
            case "ChangeEntitlement":
                await fixture.Post(mine.Client, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 1 });
                var rental = (await RunFixture.Get(mine.Client, "/v1/entitlements"))["items"]!.AsArray()
                    .Single(right => right!["kind"]!.GetValue<string>() == "rental")!;
                return (rental["id"]!.GetValue<string>(), new() { ["autoRenew"] = true });
            case "RestoreConfig":
                await fixture.Post(mine.Client, "/v1/purchases", new { block = "config-restore", kind = "pay_per_use" });
                return (null, []);
            case "RelaunchRun":
                return (await Worked(fixture, DeviceOutcome.Failed), new() { ["outcomes"] = new JsonArray("failed") });
            case "ResolveRun":
                var unknown = await Worked(fixture, DeviceOutcome.Unknown);
                var left = (await RunFixture.Get(mine.Client, $"/v1/runs/{unknown}/devices"))["items"]!.AsArray()
                    .Single(device => device!["outcome"]?.GetValue<string>() == "unknown")!["deviceId"]!.DeepClone();
                return (unknown, new()
                {
                    ["verdict"] = "completed", ["evidence"] = "read by hand",
                    ["devices"] = new JsonArray(new JsonObject { ["deviceId"] = left, ["outcome"] = "ok" }),
                });
            case "MakePlan":
                var planned = NamedBody(operation, mine.PrefixId)!;
                planned["mode"] = "apply";
                return (null, planned);
            case "ApprovePlan" or "RefusePlan":
                var plan = (await fixture.Post(await Other(), "/v1/plans", fixture.Apply("10.9.0.0/16")))["id"]!.GetValue<string>();
                while (await fixture.Claim() is { } check)
                {
                    await fixture.Work(check);
                }

                return (plan, operation.Name == "ApprovePlan" ? null : new() { ["reason"] = "not now" });
            case "ApproveSchedule" or "RefuseSchedule":
                var schedule = await fixture.Post(
                    await Other(), "/v1/schedules",
                    new { name = operation.Name, cron = "0 3 * * *", timeZone = "UTC", run = fixture.Apply("10.9.0.0/16") });
                return (
                    schedule["id"]!.GetValue<string>(),
                    operation.Name == "ApproveSchedule" ? null : new() { ["reason"] = "not now" });
            case "CancelRun":
                return ($"{await fixture.StartRun()}", null);
            case "DeleteSite":
                return (await New("/v1/sites", new { name = "empty" }), null);
            case "DeleteCredential":
                return (await New("/v1/credentials", new { name = "idle", username = "n", kind = "password", password = "sample" }), null);
            case "DeleteMember":
                return (await New("/v1/members", new { name = "unused", role = "viewer" }), null);
            case "RevokeApiKey":
                return ((await mine.Client.NewMemberKey("viewer")).Key, null);
            case "RemoveAwsAccount":
                const string Further = "999999999998";
                await fixture.Post(mine.Client, "/v1/aws-accounts", new { account = Further });
                return (Further, null);
            default:
                return (null, NamedBody(operation, mine.PrefixId));
        }

        async Task<HttpClient> Other() =>
            fixture.Host.Customer(mine.Tenant.EndpointId, (await mine.Client.NewMemberKey("operator")).Secret);

        async Task<string> New(string path, object value) => (await fixture.Post(mine.Client, path, value))["id"]!.GetValue<string>();
    }

    /// <summary>A run that a worker had: its first device has this outcome, and what was before it in the queue is done.</summary>
    private static async Task<string> Worked(RunFixture fixture, DeviceOutcome outcome)
    {
        var id = await fixture.StartRun();
        while (await fixture.Claim() is { } run)
        {
            await fixture.Work(run, run.Id == id ? [outcome] : []);
        }

        return $"{id}";
    }

    /// <summary>A body that is taken where each id in it is the tenant's own.</summary>
    private static JsonObject? NamedBody(ApiOperation operation, Func<string, string> id) =>
        operation.Body(id, name => _named.Contains(name, StringComparer.Ordinal)) is { } body
            ? JsonNode.Parse(body.ToJsonString().Replace(
                """{"all":true}""", $$"""{"deviceIds":["{{id("dev_")}}"]}""", StringComparison.Ordinal))!.AsObject() : null;

    private static IEnumerable<string> NamedPrefixes(ApiOperation operation) =>
        Prefixes().Matches(NamedBody(operation, each => each + "here")?.ToJsonString() ?? "").Select(match => match.Groups["prefix"].Value)
            .Distinct(StringComparer.Ordinal);

    private static IEnumerable<string> Filters(ApiOperation operation) =>
        operation.QueryParameters.Where(name => name is "site" || name.EndsWith("Id", StringComparison.Ordinal));

    private static async Task<(int Status, string Text)> Ask(
        FullTenant tenant, ApiOperation operation, string verb, string path, JsonObject? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb), path);
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
        body ??= operation.Verb == verb ? operation.Body(tenant.PrefixId, name => name is not ("quoteId" or "planId")) : null;
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        using var answer = await tenant.Client.SendAsync(request);
        var text = TraceIds().Replace(await answer.Content.ReadAsStringAsync(), "");
        return ((int)answer.StatusCode, text);
    }

    private static string Fill(string name, Func<string> id) => name == "name" ? FullTenant.Artifact : id();

    /// <summary>An id of the same kind that does not exist.</summary>
    private static string MissingId(string id) => id.All(char.IsAsciiDigit)
        ? "900000000000" : id.Length < 30 ? id : id[..4] + new string('0', 25) + "7";

    /// <summary>Uses the same generated names in both requests.</summary>
    private static void UseSameNames(JsonObject to, JsonObject from)
    {
        foreach (var name in new[] { "name", "address" }.Where(to.ContainsKey))
        {
            to[name] = from[name]!.DeepClone();
        }
    }

    [GeneratedRegex("\"traceId\":\"[^\"]*\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TraceIds();

    [GeneratedRegex("\"(?<prefix>[a-z]{3}_)here\"", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Prefixes();

    [GeneratedRegex("[a-z]{3}_[0-9a-z]{26}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Ids();
}
