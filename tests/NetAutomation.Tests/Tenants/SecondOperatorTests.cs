using System.Net;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Tenants;

/// <summary>An admin's key and an export of a tenant leave the house only where two of the staff wanted it.</summary>
public sealed class SecondOperatorTests(PostgresServer postgres) : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private ServiceHost _host = null!;
    private TestTenant _tenant = null!;
    private HttpClient _olga = null!;
    private HttpClient _otto = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.Create();
        _host = await ServiceHost.Start(
            _database, ["Roles:1=api", .. ServiceHost.OperatorKey(2, ServiceHost.OperatorName, "olga-new", "act")]);
        _tenant = await _host.CreateTenant();
        (_olga, _otto) = (_host.Operator(), _host.SecondOperator());
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Nobody_approves_their_own_request_with_another_key_either()
    {
        var request = await Ask(new { deed = "export", reason = "r" });
        using var again = _host.Operator("olga-new");
        foreach (var own in new[] { _olga, again })
        {
            (await own.Call("POST", $"/operator/v1/requests/{request}:approve")).Must(HttpStatusCode.Conflict)
                .Problem.ShouldBe("second_operator_needed");
        }

        (await Export(_olga, request)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        (await _otto.Call("POST", $"/operator/v1/requests/{request}:approve")).Must(HttpStatusCode.OK)
            .Json.GetProperty("state").GetString().ShouldBe("approved");
        (await _otto.Call("POST", $"/operator/v1/requests/{request}:approve")).Must(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task Approved_request_is_good_for_one_deed_of_the_one_who_asked()
    {
        var request = await _host.Approved(_tenant.Id, new { deed = "issue_key", member = "anna", newMember = true, reason = "lost" });
        var other = await _host.CreateTenant();
        (await Issue(_otto, _tenant, request)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        (await Issue(_olga, other, request)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        (await Export(_olga, request)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        var key = (await Issue(_olga, _tenant, request)).Must(HttpStatusCode.Created).Json;
        key.GetProperty("member").GetString().ShouldBe("anna");
        key.GetProperty("role").GetString().ShouldBe("admin");
        (await Issue(_olga, _tenant, request)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        (await _olga.Call("GET", $"/operator/v1/requests/{request}")).Json.GetProperty("state").GetString().ShouldBe("used");
    }

    [Fact]
    public async Task Misspelt_name_makes_no_second_admin_and_a_new_one_is_named_in_request_and_audit()
    {
        (await AskFor(new { deed = "issue_key", member = "tset", reason = "r" })).Must(HttpStatusCode.UnprocessableEntity).Faults
            .ShouldBe(["/member unknown"]);
        (await AskFor(new { deed = "export", newMember = true, reason = "r" })).Faults.ShouldBe(["/member not_allowed"]);
        await _tenant.Client.Call("POST", "/v1/members", new { name = "clerk", role = "viewer" });
        (await AskFor(new { deed = "issue_key", member = "clerk", reason = "r" })).Faults.ShouldBe(["/member unknown"]);

        var known = await _host.Approved(_tenant.Id, new { deed = "issue_key", member = "test", reason = "r" });
        (await Issue(_olga, _tenant, known)).Must(HttpStatusCode.Created);
        (await Created()).ShouldBe(["viewer clerk"], "an admin that is there gets a key and no namesake");

        var made = await _host.Approved(_tenant.Id, new { deed = "issue_key", member = "anna", newMember = true, reason = "r" });
        (await _olga.Call("GET", $"/operator/v1/requests/{made}")).Json.GetProperty("newMember").GetBoolean().ShouldBeTrue();
        (await Issue(_olga, _tenant, made)).Must(HttpStatusCode.Created);
        (await Created()).ShouldBe(["admin anna", "viewer clerk"]);
        var taken = await _host.Approved(_tenant.Id, new { deed = "issue_key", member = "anna", newMember = true, reason = "r" });
        (await Issue(_olga, _tenant, taken)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("conflict");

        // Members but the one of the fixture, newest first.
        async Task<IEnumerable<string>> Created() =>
            (await _tenant.Client.Call("GET", "/v1/audit")).Json.GetProperty("items").EnumerateArray()
                .Where(row => row.GetProperty("action").GetString() == "member.created").SkipLast(1)
                .Select(row => row.GetProperty("data")).Select(data => $"{data.GetProperty("role")} {data.GetProperty("name")}");
    }

    [Fact]
    public async Task Request_that_is_not_approved_or_not_used_in_time_is_over()
    {
        var waits = await Ask(new { deed = "export", reason = "r" });
        var approved = await _host.Approved(_tenant.Id, new { deed = "export", reason = "r" });
        await using (var owner = NpgsqlDataSource.Create(_database.Owner))
        {
            await owner.Execute("update onboarding.operator_request set expires_at = now()");
        }

        (await _otto.Call("POST", $"/operator/v1/requests/{waits}:approve")).Must(HttpStatusCode.Conflict);
        (await Export(_olga, approved)).Must(HttpStatusCode.Conflict).Problem.ShouldBe("second_operator_needed");
        (await _olga.Call("GET", "/operator/v1/requests")).Json.GetProperty("items").EnumerateArray()
            .ShouldAllBe(each => each.GetProperty("state").GetString() == "expired");
    }

    [Fact]
    public async Task Request_names_its_member_and_reason_and_is_in_the_tenants_audit()
    {
        (await AskFor(new { deed = "issue_key", reason = "r" })).Faults.ShouldBe(["/member not_allowed"]);
        (await AskFor(new { deed = "export", reason = "r", member = "m" })).Faults.ShouldBe(["/member not_allowed"]);
        (await AskFor(new { deed = "issue_key", reason = "a\u202Eb", member = "a\u200Bb" })).Faults
            .ShouldBe(["/reason control_character", "/member pattern"]);
        await _host.Approved(_tenant.Id, new { deed = "export", reason = "moving" });
        (await _tenant.Client.Call("GET", "/v1/audit")).Json.GetProperty("items").EnumerateArray().Take(2)
            .Select(row => $"{row.GetProperty("action")} {row.GetProperty("member")}").ShouldBe(
                [$"operator_request.approved {ServiceHost.SecondOperatorName}", $"operator_request.made {ServiceHost.OperatorName}"]);
    }

    private async Task<string> Ask(object wanted) => (await AskFor(wanted)).Must(HttpStatusCode.Created).Id;

    private Task<Answer> AskFor(object wanted) => _olga.Call("POST", $"/operator/v1/tenants/{_tenant.Id}/requests", wanted);

    private Task<Answer> Export(HttpClient staff, string request) =>
        staff.Call("POST", $"/operator/v1/tenants/{_tenant.Id}:export", new { requestId = request });

    private static Task<Answer> Issue(HttpClient staff, TestTenant tenant, string request) =>
        staff.Call("POST", $"/operator/v1/tenants/{tenant.Id}:issue-key", new { requestId = request });
}
