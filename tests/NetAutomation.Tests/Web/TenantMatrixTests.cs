using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
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
            foreach (var filter in operation.QueryParameters.Where(name => name is "site" || name.EndsWith("Id", StringComparison.Ordinal)))
            {
                var id = theirs.ByCollection[$"/v1/{filter.Replace("Id", "", StringComparison.Ordinal)}s"];
                await Compare(operation, $"{path}?{filter}={id}", null, $"{path}?{filter}={MissingId(id)}", null);
            }

            foreach (
                var prefix in Prefixes().Matches(operation.Body(each => each + "here", _ => true)?.ToJsonString() ?? "")
                    .Select(match => match.Groups["prefix"].Value).Distinct().Where(each => each != "quo_"))
            {
                var id = theirs.PrefixId(prefix);
                JsonObject Body(string other) =>
                    operation.Body(each => each == prefix ? other : mine.PrefixId(each), name => name is not "quoteId")!;
                var (first, second) = (Body(id), Body(MissingId(id)));
                UseSameNames(second, first);
                await Compare(operation, path, first, path, second);
            }

            async Task Compare(ApiOperation each, string at, JsonObject? body, string elsewhere, JsonObject? other)
            {
                compared++;
                var (one, two) = (await Ask(mine, each, each.Verb, at, body), await Ask(mine, each, each.Verb, elsewhere, other));
                if (one != two || one.Text.Contains(theirs.Tenant.Account, StringComparison.Ordinal))
                {
                    faults.Add($"{each.Verb} {at}: {one} instead of {two}");
                }
            }
        }

        foreach (var body in new JsonObject[]
        {
            new() { ["quoteId"] = theirs.ByCollection["/v1/quotes"] },
            new() {
                ["block"] = "static-routes", ["mode"] = "apply",
                ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray(theirs.ByCollection["/v1/devices"]) },
                ["input"] = JsonNode.Parse("""{"routes":[{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}]}""") },
        })
        {
            var nowhere = JsonNode.Parse(Ids().Replace(body.ToJsonString(), match => MissingId(match.Value)))!.AsObject();
            var start = operations.Single(each => each.Name == "StartRun");
            var (one, two) = (await Ask(mine, start, "POST", "/v1/runs", body), await Ask(mine, start, "POST", "/v1/runs", nowhere));
            one.ShouldBe(two);
            one.Status.ShouldBe(422);
        }

        faults.ShouldBeEmpty();
        compared.ShouldBeGreaterThan(5);
        (await rows.Snapshot()).ShouldBe(before);
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
            var answer = await mine.Client.Call("GET", list.Path);
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

    private static async Task<(int Status, string Text)> Ask(
        FullTenant tenant, ApiOperation operation, string verb, string path, JsonObject? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb), path);
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
        body ??= operation.Verb == verb ? operation.Body(tenant.PrefixId, name => name is not "quoteId") : null;
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
