using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

/// <summary>
/// Hostile requests for every operation of the served document. <c>NETAUTOMATION_FUZZ_SEED</c> and <c>NETAUTOMATION_FUZZ_REQUESTS</c> (per
/// operation) search further than the fixed seed does.
/// </summary>
public sealed class ApiFuzzTests(PostgresServer postgres)
{
    private static readonly string[] _order = ["GET", "POST", "PATCH", "PUT", "DELETE"];

    [Fact]
    public async Task A_hostile_request_is_refused_as_documented_and_writes_nothing()
    {
        var (seed, count) = (Setting("SEED", 20260704), Setting("REQUESTS", 36));
        await using var fixture = await RunFixture.Start(postgres);
        await using var rows = new DatabaseRows(fixture.Database);
        var operations = await ApiOperation.All(fixture.Client);
        var tenant = await FullTenant.Fill(fixture, fixture.Tenant, operations);
        // The service notes the use of a key at most once a minute. That write is not the request's, so the test sets the time of use
        // ahead.
        await fixture.Sql("update onboarding.api_key set last_used_at = now() + interval '1 day'");
        var attacks = new ApiAttacks(new Random(seed), tenant);
        var documented = (await File.ReadAllLinesAsync(Path.Combine(PostgresServer.RepositoryRoot(), "docs/errors.md")))
            .TakeWhile(line => line != FaultCodeTests.Heading.Trim()).Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split('`')[1]).ToHashSet(StringComparer.Ordinal);

        var (faults, sent, refused) = (new List<string>(), 0, 0);
        var before = await rows.Snapshot();
        foreach (var operation in operations.OrderBy(each => Array.IndexOf(_order, each.Verb)))
        {
            for (var i = 0; i < count; i++)
            {
                var attack = attacks.Next(operation);
                using var request = attack.Request;
                using var answer = await fixture.Client.SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                sent++;
                faults.AddRange(
                    Faults(operation, attack, answer, text, documented)
                        .Select(
                            fault =>
                                $"{fault}: {operation.Verb} {request.RequestUri} {attack.What} -> {(int)answer.StatusCode} {Short(text)}"));
                if (operation.Verb == "GET")
                {
                    continue;
                }

                var after = await rows.Snapshot();
                if ((int)answer.StatusCode >= 400)
                {
                    refused++;
                    faults.AddRange(
                        after.Where(table => before[table.Key] != table.Value)
                            .Select(table => $"wrote {table.Key}: {operation.Verb} {request.RequestUri} {attack.What}"));
                }

                before = after;
            }
        }

        faults.Take(60).ShouldBeEmpty($"seed {seed}: {faults.Count} faults in {sent} requests");
        refused.ShouldBeGreaterThan(sent / 5);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {sent} requests, {refused} writes refused");
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_before_it_is_sent()
    {
        await using var fixture = await RunFixture.Start(postgres);
        var operations = (await ApiOperation.All(fixture.Client)).Where(each => each.MediaType is not null || each.Verb == "POST").ToList();
        operations.Count.ShouldBeGreaterThan(12);
        var tenant = await FullTenant.Fill(fixture, fixture.Tenant, await ApiOperation.All(fixture.Client));
        var body = new byte[9 * 1024 * 1024];
        body.AsSpan().Fill((byte)' ');
        foreach (var operation in operations.Where(each => each.Name != "TestDevice"))
        {
            using var request =
                new HttpRequestMessage(new HttpMethod(operation.Verb), operation.At(name => tenant.PathId(operation, name)));
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(operation.MediaType ?? "application/json");
            request.Headers.ExpectContinue = true;
            request.Headers.Add("Idempotency-Key", $"fuzz-{Guid.NewGuid():n}");
            request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
            using var answer = await fixture.Client.SendAsync(request);
            ((int)answer.StatusCode).ShouldBe(413, operation.Name);
            operation.Statuses.ShouldContain(413, operation.Name);
            (await answer.Content.ReadAsStringAsync()).ShouldContain("/problems/body_too_large");
        }
    }

    private static IEnumerable<string> Faults(
        ApiOperation operation, ApiAttack attack, HttpResponseMessage answer, string text, HashSet<string> documented)
    {
        var status = (int)answer.StatusCode;
        if (status >= 500)
        {
            yield return "failed";
        }

        if (!operation.Statuses.Contains(status))
        {
            yield return "undocumented status";
        }

        if (attack.Expected is { } expected && expected != status)
        {
            yield return $"not {expected}";
        }

        if (status < 400)
        {
            yield break;
        }

        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            yield return "not problem+json";
            yield break;
        }

        var problem = JsonDocument.Parse(text).RootElement;
        var code = problem.GetProperty("type").GetString()!.Split('/')[^1];
        if (!documented.Contains(code) || problem.GetProperty("status").GetInt32() != status
            || problem.GetProperty("traceId").GetString()!.Length == 0)
        {
            yield return "not the documented problem";
        }

        var pointers = problem.GetProperty("errors") is { ValueKind: JsonValueKind.Array } errors
            ? errors.EnumerateArray().Select(error => error.GetProperty("pointer").GetString()!).ToList() : [];
        if ((code == "validation_failed" && pointers.Count == 0) || pointers.Exists(pointer => pointer.Length > 0 && pointer[0] != '/'))
        {
            yield return "no pointer";
        }

        if (attack.Pointer is { } wanted && status == 400
            && !pointers.Exists(pointer => pointer.StartsWith(wanted, StringComparison.Ordinal)))
        {
            yield return $"does not point to {wanted}";
        }
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable($"NETAUTOMATION_FUZZ_{name}") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : otherwise;

    private static string Short(string text) => text.Length > 300 ? text[..300] : text;
}

/// <summary>One hostile request.</summary>
/// <param name="Expected">The expected status; null if any documented one is right.</param>
/// <param name="Pointer">The pointer that a 400 must name.</param>
internal sealed record ApiAttack(HttpRequestMessage Request, string What, int? Expected = null, string? Pointer = null);

/// <summary>Creates requests with exactly one fault.</summary>
internal sealed class ApiAttacks(Random random, FullTenant tenant)
{
    public ApiAttack Next(ApiOperation operation)
    {
        var body = operation.Body(tenant.PrefixId, _ => random.Next(2) == 0);
        List<Func<ApiAttack>> attacks = [() => Header(operation, body)];
        if (operation.PathParameters.Count > 0)
        {
            attacks.Add(() => BadPath(operation, body));
        }

        if (operation.QueryParameters.Count > 0)
        {
            attacks.AddRange([() => BadQuery(operation, body), () => BadQuery(operation, body)]);
        }

        if (body is not null)
        {
            attacks.AddRange(
            [
                () => HostileValue(operation, body), () => HostileValue(operation, body), () => HostileValue(operation, body),
                () => OtherType(operation, body), () => Unknown(operation, body), () => Missing(operation, body),
                () => Duplicate(operation, body), () => Unreadable(operation), () => OtherMediaType(operation, body),
            ]);
        }
        else if (operation.MediaType is "text/csv")
        {
            attacks.AddRange(
                Enumerable.Repeat<Func<ApiAttack>>(
                    () => Send(operation, Path(operation), Encoding.UTF8.GetBytes(Hostile.Pick(random, Hostile.Csv)), "text/csv", "csv"),
                    4));
        }

        return attacks[random.Next(attacks.Count)]();
    }

    private ApiAttack Header(ApiOperation operation, JsonObject? body)
    {
        var (name, value) = Hostile.Pick(random, Hostile.Headers);
        var attack = Send(operation, Path(operation), body, $"{name}: {value}");
        if (name.StartsWith("Content-", StringComparison.Ordinal))
        {
            attack.Request.Content?.Headers.TryAddWithoutValidation(name, value);
            return attack;
        }

        attack.Request.Headers.Remove(name);
        attack.Request.Headers.TryAddWithoutValidation(name, value);
        return attack;
    }

    private ApiAttack BadPath(ApiOperation operation, JsonObject? body)
    {
        var bad = Hostile.Pick(random, [.. operation.PathParameters]);
        return Send(
            operation, operation.At(name => name == bad ? Hostile.Pick(random, Hostile.PathIds) : PathValue(operation, name)), body,
            "path");
    }

    private ApiAttack BadQuery(ApiOperation operation, JsonObject? body)
    {
        var name = Hostile.Pick(random, [.. operation.QueryParameters]);
        return Send(
            operation,
            $"{Path(operation)}?{name}={string.Format(CultureInfo.InvariantCulture, Hostile.Pick(random, Hostile.Queries), name)}", body,
            "query");
    }

    private ApiAttack HostileValue(ApiOperation operation, JsonObject body)
    {
        var (parent, key, _) = Hostile.Pick(random, [.. Places(body, "")]);
        var value = Hostile.Pick(random, Hostile.Json);
        return Send(
            operation, Path(operation), Replaced(body, parent, key, value), "application/json",
            $"hostile {key}={value[..Math.Min(60, value.Length)]}");
    }

    /// <summary>
    /// Another type at the first level is 400; the block's schema judges what is inside <c>input</c>, and money has its own rule.
    /// </summary>
    private ApiAttack OtherType(ApiOperation operation, JsonObject body)
    {
        var places = Places(body, "")
            .Where(place => !place.Pointer.Contains("/input", StringComparison.Ordinal) && place.Parent[place.Key] is { } value
                && !IsMoney(value) && !IsMoney(place.Parent)).ToArray();
        if (places.Length == 0)
        {
            return Unknown(operation, body);
        }

        var (parent, key, pointer) = Hostile.Pick(random, places);
        var other = Hostile.OtherType(parent[key], random)!;
        return Send(
            operation, Path(operation), Replaced(body, parent, key, other), "application/json", $"type {pointer}={other}") with
        {
            Expected = 400,
            Pointer = pointer
        };
    }

    private ApiAttack Unknown(ApiOperation operation, JsonObject body)
    {
        body["surprise"] = 1;
        return Send(operation, Path(operation), body, "unknown member") with { Expected = 400, Pointer = "/surprise" };
    }

    private ApiAttack Missing(ApiOperation operation, JsonObject body)
    {
        if (operation.BodySchema!["required"] is not JsonArray required)
        {
            return Unknown(operation, body);
        }

        var name = Hostile.Pick(random, [.. required.Select(each => each!.GetValue<string>())]);
        body.Remove(name);
        return Send(operation, Path(operation), body, $"missing {name}") with { Expected = 400, Pointer = $"/{name}" };
    }

    private ApiAttack Duplicate(ApiOperation operation, JsonObject body)
    {
        if (body.Count == 0)
        {
            return Unknown(operation, body);
        }

        var twice = Hostile.Pick(random, [.. body]);
        var text = body.ToJsonString();
        return Send(
            operation, Path(operation),
            Encoding.UTF8.GetBytes($"{text[..^1]},{JsonSerializer.Serialize(twice.Key)}:{twice.Value?.ToJsonString() ?? "null"}}}"),
            "application/json", $"twice {twice.Key}")
            with
        { Expected = 400, Pointer = $"/{twice.Key}" };
    }

    private ApiAttack Unreadable(ApiOperation operation)
    {
        var bytes = Hostile.Pick(random, Hostile.Bodies);
        return Send(
            operation, Path(operation), bytes, "application/json",
            $"unreadable {Convert.ToHexString(bytes[..Math.Min(20, bytes.Length)])}") with
        { Expected = 400 };
    }

    private ApiAttack OtherMediaType(ApiOperation operation, JsonObject body)
    {
        var type = Hostile.Pick(random, Hostile.Types);
        return Send(
            operation, Path(operation), Encoding.UTF8.GetBytes(body.ToJsonString()), type, $"media type {type}") with
        { Expected = 415 };
    }

    private string Path(ApiOperation operation) => operation.At(name => PathValue(operation, name));

    private string PathValue(ApiOperation operation, string name) => name switch
    {
        "block" => "static-routes",
        "version" => "1.0.0",
        "rid" => "linux-x64",
        "name" => FullTenant.Artifact,
        _ => tenant.PathId(operation, name),
    };

    private static ApiAttack Send(ApiOperation operation, string path, JsonObject? body, string what) =>
        Send(operation, path, body is null ? null : Encoding.UTF8.GetBytes(body.ToJsonString()), "application/json", what);

    private static ApiAttack Send(ApiOperation operation, string path, byte[]? body, string type, string what)
    {
        var request = new HttpRequestMessage(new HttpMethod(operation.Verb), path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        request.Headers.Add("Idempotency-Key", $"fuzz-{Guid.NewGuid():n}");
        request.Headers.IfMatch.Add(EntityTagHeaderValue.Any);
        return new ApiAttack(request, what);
    }

    private static byte[] Replaced(JsonObject body, JsonObject parent, string key, string raw)
    {
        const string mark = "\"@here@\"";
        parent[key] = "@here@";
        return Encoding.UTF8.GetBytes(body.ToJsonString().Replace(mark, raw, StringComparison.Ordinal));
    }

    private static IEnumerable<(JsonObject Parent, string Key, string Pointer)> Places(JsonObject node, string at)
    {
        foreach (var member in node)
        {
            yield return (node, member.Key, $"{at}/{member.Key}");
            if (member.Value is JsonObject inner)
            {
                foreach (var place in Places(inner, $"{at}/{member.Key}"))
                {
                    yield return place;
                }
            }
        }

        if (node.Count == 0)
        {
            yield return (node, "surprise", $"{at}/surprise");
        }
    }

    private static bool IsMoney(JsonNode node) => node is JsonObject money && money.ContainsKey("amount");
}
