using System.Net;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Access;

public sealed class MemberTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Fact]
    public async Task Disabled_member_has_no_working_key_in_any_process_until_it_is_active_again()
    {
        await using var other = await ServiceHost.Start(shared.Database, ["Roles:1=api"]);
        var tenant = await shared.Host.CreateTenant();
        var anna = await tenant.Client.NewMemberKey("operator");
        using var here = shared.Host.Customer(tenant.EndpointId, anna.Secret);
        using var there = other.Customer(tenant.EndpointId, anna.Secret);
        await Eventually.Holds(async () => (await there.Call("GET", "/v1/me")).Status == HttpStatusCode.OK);
        (await here.Call("GET", "/v1/me")).Must(HttpStatusCode.OK).Json.GetProperty("memberId").GetString().ShouldBe(anna.Member);

        await Change(tenant, anna.Member, new { state = "disabled" }, HttpStatusCode.OK);
        (await here.Call("GET", "/v1/me")).Must(HttpStatusCode.Unauthorized);
        await Eventually.Holds(async () => (await there.Call("GET", "/v1/me")).Status == HttpStatusCode.Unauthorized);
        (await tenant.Client.Call("POST", "/v1/api-keys", new { name = "n", memberId = anna.Member })).Faults
            .ShouldBe(["/memberId unknown"]);

        await Change(tenant, anna.Member, new { state = "active", role = "viewer" }, HttpStatusCode.OK);
        (await here.Call("GET", "/v1/me")).Must(HttpStatusCode.OK).Json.GetProperty("role").GetString().ShouldBe("viewer");
        (await here.Call("POST", "/v1/sites", new { name = "x" })).Must(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Only_one_of_two_admins_that_disable_each_other_at_once_succeeds()
    {
        var tenant = await shared.Host.CreateTenant();
        var bert = await tenant.Client.NewMemberKey("admin");
        using var other = shared.Host.Customer(tenant.EndpointId, bert.Secret);
        var me = await Me(tenant.Client);
        var answers = await Task.WhenAll(
            tenant.Client.Call("PATCH", $"/v1/members/{bert.Member}", new { state = "disabled" }, "*"),
            other.Call("PATCH", $"/v1/members/{me}", new { role = "viewer" }, "*"));
        answers.Count(answer => answer.Status == HttpStatusCode.OK).ShouldBe(1);
        var refused = answers.Single(answer => answer.Status != HttpStatusCode.OK);
        if (refused.Status == HttpStatusCode.Conflict)
        {
            refused.Problem.ShouldBe("last_admin");
        }
    }

    [Fact]
    public async Task Last_active_admin_is_neither_disabled_nor_demoted_while_no_other_has_a_key_that_lasts()
    {
        var tenant = await shared.Host.CreateTenant();
        var me = await Me(tenant.Client);
        await tenant.Client.NewMemberKey("operator");
        await tenant.Client.NewMemberKey("admin", DateTimeOffset.UtcNow.AddHours(1));
        foreach (var change in new object[] { new { state = "disabled" }, new { role = "operator" } })
        {
            (await Change(tenant, me, change, HttpStatusCode.Conflict)).Problem.ShouldBe("last_admin");
        }

        await Change(tenant, me, new { name = "chief" }, HttpStatusCode.OK);
        await tenant.Client.NewMemberKey("admin");
        await Change(tenant, me, new { state = "disabled" }, HttpStatusCode.OK);
        (await tenant.Client.Call("GET", "/v1/me")).Must(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Member_is_kept_like_any_resource_by_admins_and_read_by_all()
    {
        var tenant = await shared.Host.CreateTenant();
        var made = (await tenant.Client.Call("POST", "/v1/members", new { name = "anna", role = "operator" })).Must(HttpStatusCode.Created);
        (await tenant.Client.Call("POST", "/v1/members", new { name = "anna", role = "viewer" })).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("member_name_taken");
        var path = made.Location!;
        (await tenant.Client.Call("PATCH", path, new { name = "berta" })).Must((HttpStatusCode)428);
        (await tenant.Client.Call("PATCH", path, new { name = "berta" }, made.ETag)).Must(HttpStatusCode.OK).ETag.ShouldBe("\"2\"");
        (await tenant.Client.Call("PATCH", path, new { name = "carla" }, made.ETag)).Must(HttpStatusCode.PreconditionFailed);
        (await tenant.Client.Call("GET", path)).Must(HttpStatusCode.OK).Json.GetProperty("name").GetString().ShouldBe("berta");

        using var viewer = await shared.Host.CreateKey(tenant, MemberRole.Viewer);
        (await viewer.Call("GET", "/v1/members")).Must(HttpStatusCode.OK).Text.ShouldContain("berta");
        (await viewer.Call("GET", path)).Must(HttpStatusCode.OK);
        using var operatorOfTheirs = await shared.Host.CreateKey(tenant, MemberRole.Operator);
        (await operatorOfTheirs.Call("POST", "/v1/members", new { name = "n", role = "viewer" })).Must(HttpStatusCode.Forbidden);
        (await tenant.Client.Call("DELETE", path, null, "*")).Must(HttpStatusCode.NoContent);
        var used = await tenant.Client.NewMemberKey("viewer");
        (await tenant.Client.Call("DELETE", $"/v1/api-keys/{used.Key}")).Must(HttpStatusCode.NoContent);
        (await tenant.Client.Call("DELETE", $"/v1/members/{used.Member}", null, "*")).Must(HttpStatusCode.Conflict)
            .Problem.ShouldBe("member_in_use");
    }

    [Fact]
    public async Task Audit_names_the_member_and_its_name_then_and_never_a_key()
    {
        var tenant = await shared.Host.CreateTenant();
        var anna = await tenant.Client.NewMemberKey("operator");
        using var client = shared.Host.Customer(tenant.EndpointId, anna.Secret);
        (await client.Call("POST", "/v1/sites", new { name = "ams" })).Must(HttpStatusCode.Created);
        await Change(tenant, anna.Member, new { name = "anna" }, HttpStatusCode.OK);
        (await client.Call("POST", "/v1/sites", new { name = "rtm" })).Must(HttpStatusCode.Created);

        var rows = (await tenant.Client.Call("GET", "/v1/audit")).Json.GetProperty("items").EnumerateArray().ToList();
        rows.ShouldAllBe(row => !row.GetProperty("principal").GetString()!.StartsWith("key_"));
        var sites = rows.Where(row => row.GetProperty("action").GetString() == "site.created").ToList();
        sites.ShouldAllBe(row => row.GetProperty("principal").GetString() == anna.Member);
        sites.Select(row => row.GetProperty("member").GetString()!.Split(' ')[0]).ShouldBe(["anna", "operator"]);
    }

    private static async Task<string> Me(HttpClient client) =>
        (await client.Call("GET", "/v1/me")).Json.GetProperty("memberId").GetString()!;

    private static async Task<Answer> Change(TestTenant tenant, string member, object change, HttpStatusCode status) =>
        (await tenant.Client.Call("PATCH", $"/v1/members/{member}", change, "*")).Must(status);
}
