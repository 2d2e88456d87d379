using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Access;

public sealed class ApiKeyTests(PostgresServer postgres) : IAsyncLifetime
{
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceHost.Start(await postgres.Create());

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_new_key_works_until_it_is_revoked_and_its_secret_is_shown_once()
    {
        var tenant = await _service.CreateTenant();
        var (created, secret) = await Create(tenant.Client, "viewer");
        using var viewer = _service.Customer(tenant.EndpointId, secret);
        (await viewer.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await viewer.GetStringAsync("/v1/api-keys")).ShouldNotContain(secret);
        (await viewer.PostAsJsonAsync("/v1/members", new { name = "n", role = "admin" })).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        (await tenant.Client.DeleteAsync($"/v1/api-keys/{created}")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await viewer.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        var actions = (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/audit")).GetProperty("items").EnumerateArray()
            .Select(row => row.GetProperty("action").GetString());
        actions.ShouldBe(["api_key.revoked", "api_key.created", "member.created", "member.created", "endpoint.bound"]);
    }

    [Fact]
    public async Task A_repeated_request_gets_the_id_and_no_second_key()
    {
        var tenant = await _service.CreateTenant();
        var me = (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("memberId").GetString();
        using var first = Post("create-key-000001");
        var created = await (await tenant.Client.SendAsync(first)).Content.ReadFromJsonAsync<JsonElement>();
        using var second = Post("create-key-000001");
        var repeated = await tenant.Client.SendAsync(second);
        repeated.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        var problem = await repeated.Content.ReadFromJsonAsync<JsonElement>();
        problem.GetProperty("type").GetString().ShouldBe("/problems/secret_already_shown");
        problem.GetProperty("id").GetString().ShouldBe(created.GetProperty("id").GetString());
        (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/api-keys")).GetProperty("items").GetArrayLength().ShouldBe(2);

        HttpRequestMessage Post(string key)
        {
            var request =
                new HttpRequestMessage(HttpMethod.Post, "/v1/api-keys") { Content = JsonContent.Create(new { name = "n", memberId = me }) };
            request.Headers.Add("Idempotency-Key", key);
            return request;
        }
    }

    [Fact]
    public async Task The_last_admin_key_cannot_be_revoked()
    {
        var tenant = await _service.CreateTenant();
        var mine = (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("keyId").GetString();
        await Create(tenant.Client, "operator");
        var refused = await tenant.Client.DeleteAsync($"/v1/api-keys/{mine}");
        refused.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString().ShouldBe("/problems/last_admin_key");
        await Create(tenant.Client, "admin");
        (await tenant.Client.DeleteAsync($"/v1/api-keys/{mine}")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_rotated_key_works_beside_its_successor_for_the_time_given()
    {
        var tenant = await _service.CreateTenant();
        var (old, secret) = await Create(tenant.Client, "viewer");
        using var before = _service.Customer(tenant.EndpointId, secret);
        var rotated = await Rotate(tenant.Client, old, new { overlapSeconds = 3600 });
        rotated.GetProperty("role").GetString().ShouldBe("viewer");
        using var after = _service.Customer(tenant.EndpointId, rotated.GetProperty("secret").GetString());
        (await before.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await after.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        var listed = (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/api-keys")).GetProperty("items").EnumerateArray().ToList();
        listed.Single(key => key.GetProperty("id").GetString() == old).GetProperty("expiresAt").GetDateTimeOffset()
            .ShouldBeInRange(DateTimeOffset.UtcNow.AddMinutes(50), DateTimeOffset.UtcNow.AddMinutes(61));
        (await tenant.Client.PostAsJsonAsync($"/v1/api-keys/{old}:rotate", new { })).StatusCode.ShouldBe(HttpStatusCode.Conflict);

        // Without overlap, as after a leak: the old key ends at once.
        await Rotate(tenant.Client, rotated.GetProperty("id").GetString()!, new { overlapSeconds = 0 });
        (await after.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await tenant.Client.PostAsJsonAsync($"/v1/api-keys/{old}:rotate", new { overlapSeconds = -1 })).StatusCode.ShouldBe(
            HttpStatusCode.UnprocessableEntity);
        (await before.PostAsJsonAsync($"/v1/api-keys/{old}:rotate", new { })).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Full_tenant_rotates_a_key_without_overlap_and_not_with_one()
    {
        var tenant = await _service.CreateTenant();
        using var staff = _service.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{tenant.Id}/limits/api_keys", new { max = 1, reason = "r" }))
            .Must(HttpStatusCode.OK);
        var mine = (await tenant.Client.Call("GET", "/v1/me")).Json.GetProperty("keyId").GetString()!;
        (await tenant.Client.Call("POST", $"/v1/api-keys/{mine}:rotate", new { overlapSeconds = 60 })).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("limit_reached");
        (await tenant.Client.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);
        var secret = (await Rotate(tenant.Client, mine, new { overlapSeconds = 0 })).GetProperty("secret").GetString();
        (await tenant.Client.Call("GET", "/v1/me")).Must(HttpStatusCode.Unauthorized);
        using var after = _service.Customer(tenant.EndpointId, secret);
        (await after.Call("GET", "/v1/me")).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_key_that_ends_by_itself_is_no_last_admin_key()
    {
        var tenant = await _service.CreateTenant();
        var mine = (await tenant.Client.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("keyId").GetString()!;
        var other = await tenant.Client.NewMemberKey("admin", DateTimeOffset.UtcNow.AddHours(1));
        (await tenant.Client.Call(
            "POST", "/v1/api-keys", new { name = "n", memberId = other.Member, expiresAt = DateTimeOffset.UtcNow.AddHours(-1) }))
            .Faults.ShouldBe(["/expiresAt out_of_range"]);
        (await tenant.Client.DeleteAsync($"/v1/api-keys/{mine}")).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        await Rotate(tenant.Client, mine, new { });
        (await tenant.Client.DeleteAsync($"/v1/api-keys/{mine}")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_key_of_another_tenant_is_not_there()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var theirs = (await other.Client.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("keyId").GetString();
        (await mine.Client.DeleteAsync($"/v1/api-keys/{theirs}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await other.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_suspended_tenant_reads_and_no_more_until_it_is_reactivated()
    {
        var tenant = await _service.CreateTenant();
        using var staff = _service.Operator();
        var (leaked, _) = await Create(tenant.Client, "viewer");
        (await staff.PostAsJsonAsync($"/operator/v1/tenants/{tenant.Id}:suspend", new { reason = "Unpaid." })).StatusCode.ShouldBe(
            HttpStatusCode.OK);
        (await tenant.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await tenant.Client.PostAsJsonAsync("/v1/members", new { name = "n", role = "viewer" })).StatusCode.ShouldBe(
            HttpStatusCode.Forbidden);
        (await tenant.Client.DeleteAsync($"/v1/api-keys/{leaked}")).StatusCode.ShouldBe(
            HttpStatusCode.NoContent, "a leaked key is revoked at any time");
        (await staff.PostAsync($"/operator/v1/tenants/{tenant.Id}:reactivate", null)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Create(tenant.Client, "viewer");
        (await staff.PostAsync($"/operator/v1/tenants/{tenant.Id}:reactivate", null)).StatusCode.ShouldBe(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task The_provider_issues_a_key_and_sets_the_channel_under_its_own_name()
    {
        var tenant = await _service.CreateTenant();
        using var staff = _service.Operator();
        var request = await _service.Approved(tenant.Id, new { deed = "issue_key", member = "anna", newMember = true, reason = "Lost." });
        var issued = (await staff.Call("POST", $"/operator/v1/tenants/{tenant.Id}:issue-key", new { requestId = request }))
            .Must(HttpStatusCode.Created).Json;
        using var anna = _service.Customer(tenant.EndpointId, issued.GetProperty("secret").GetString());
        (await anna.GetFromJsonAsync<JsonElement>("/v1/me")).GetProperty("member").GetString().ShouldBe("anna");

        var path = $"/operator/v1/agreements/{tenant.Agreement}";
        var etag = (await staff.GetAsync(path)).Headers.ETag!;
        (await staff.PatchAsJsonAsync(path, new { channel = "direct" })).StatusCode.ShouldBe(HttpStatusCode.PreconditionRequired);
        using var patch = new HttpRequestMessage(HttpMethod.Patch, path) { Content = JsonContent.Create(new { channel = "direct" }) };
        patch.Headers.IfMatch.Add(etag);
        var patched = await (await staff.SendAsync(patch)).Content.ReadFromJsonAsync<JsonElement>();
        patched.GetProperty("channel").GetString().ShouldBe("direct");

        var audit = (await anna.GetFromJsonAsync<JsonElement>("/v1/audit")).GetProperty("items").EnumerateArray().ToList();
        audit.Select(row => row.GetProperty("action").GetString())
            .ShouldBe([
                "agreement.channel_changed", "api_key.created", "member.created", "operator_request.approved", "operator_request.made",
                "member.created", "endpoint.bound"]);
        audit.SkipLast(2).Select(row => row.GetProperty("principal").GetString()!["operator:".Length..]).ShouldBe(
            [
                ServiceHost.OperatorName, ServiceHost.OperatorName, ServiceHost.OperatorName, ServiceHost.SecondOperatorName,
                ServiceHost.OperatorName]);
    }

    private static async Task<JsonElement> Rotate(HttpClient client, string id, object body)
    {
        var answer = await client.PostAsJsonAsync($"/v1/api-keys/{id}:rotate", body);
        answer.StatusCode.ShouldBe(HttpStatusCode.Created);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static async Task<(string Id, string Secret)> Create(HttpClient client, string role)
    {
        var made = await client.NewMemberKey(role);
        return (made.Key, made.Secret);
    }
}
