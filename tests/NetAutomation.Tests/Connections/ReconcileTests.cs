using Amazon.EC2;
using Amazon.EC2.Model;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NetAutomation.Connections;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connections;

/// <summary>Rounds against an EC2 whose answers the test sets, where the simulator cannot give them.</summary>
public sealed class ReconcileTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Service = "vpce-svc-0123456789abcdef0";
    private static readonly DateTime _created = new(2026, 6, 1, 12, 0, 0, DateTimeKind.Utc);
    private readonly Ec2 _ec2 = new();
    private ServiceHost _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceHost.Start(await postgres.Create());

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task An_item_that_ec2_did_not_do_is_kept_with_its_code_and_tried_again()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections =
            [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance"),
                Connection("vpce-0aaaaaaaaaaaaaaa2", tenant.Account, "pendingAcceptance"), Bound(tenant)];
        _ec2.Unsuccessful["vpce-0aaaaaaaaaaaaaaa1"] = "SomethingNew";
        (await Round()).ShouldBeLessThan(TimeSpan.FromSeconds(1));
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1", "vpce-0aaaaaaaaaaaaaaa2"], ignoreOrder: true);
        (await Faults()).ShouldBe(["SomethingNew"]);
        _ec2.Unsuccessful.Clear();
        await Round();
        (await Faults()).ShouldBeEmpty();
        (await Alive("vpce-0aaaaaaaaaaaaaaa1")).ShouldBeNull();
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "Available"), Bound(tenant)];
        await Round();
        (await Alive("vpce-0aaaaaaaaaaaaaaa1")).ShouldBe(tenant.Id);
    }

    [Fact]
    public async Task A_connection_missing_once_stays_bound_and_missing_thrice_is_gone()
    {
        var tenant = await _service.CreateTenant();
        await Round();
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id);
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBeNull();
    }

    [Fact]
    public async Task A_known_id_with_another_owner_is_another_connection()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var taken = Connection(mine.EndpointId, other.Account, "available");
        _ec2.Connections = [taken, Bound(other)];
        await Round();
        (await Alive(mine.EndpointId)).ShouldBe(other.Id);
        (await mine.Client.GetAsync("/v1/me")).StatusCode.ShouldBe(System.Net.HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Principals_follow_the_tenants_and_what_a_person_allowed_stays()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Bound(tenant)];
        _ec2.Principals = ["arn:aws:iam::999999999999:root", "arn:aws:iam::999999999999:role/consultant", "*"];
        await Round();
        _ec2.Principals.ShouldBe(
            [$"arn:aws:iam::{tenant.Account}:root", "arn:aws:iam::999999999999:role/consultant", "*"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_connection_that_always_fails_is_retried_ever_more_rarely_and_delays_no_other()
    {
        var tenant = await _service.CreateTenant();
        var settings = new ConnectionsOptions { ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMinutes(1) };
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance"), Bound(tenant)];
        _ec2.Unsuccessful["vpce-0aaaaaaaaaaaaaaa1"] = "SomethingNew";
        (await Round(settings)).ShouldBeGreaterThan(TimeSpan.FromSeconds(30));
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1"]);
        _ec2.Connections.Add(Connection("vpce-0aaaaaaaaaaaaaaa2", tenant.Account, "pendingAcceptance"));
        await Round(settings);
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1", "vpce-0aaaaaaaaaaaaaaa2"]);
        // A new state ends the series of failures.
        _ec2.Connections[0] = Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pending");
        await Round(settings);
        (await Faults()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_refused_request_is_halved_until_the_bad_item_is_alone()
    {
        var tenant = await _service.CreateTenant();
        string[] ids = [.. Enumerable.Range(1, 250).Select(i => $"vpce-0bbbbbbbbbbbb{i:x4}")];
        _ec2.Connections = [.. ids.Select(id => Connection(id, tenant.Account, "pendingAcceptance")), Bound(tenant)];
        _ec2.Malformed = ids[17];
        await Round();
        _ec2.Accepted.Order().ShouldBe(ids.Where(id => id != ids[17]).Order());
        (await Faults()).ShouldBe(["InvalidVpcEndpointId.Malformed"]);
        _ec2.Calls.ShouldBeLessThan(25);
    }

    [Fact]
    public async Task A_throttled_call_is_repeated_where_it_was()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance"), Bound(tenant)];
        _ec2.Throttles = 3;
        await Round();
        // Two pages; the first is requested again after each throttling.
        _ec2.Pages.ShouldBe([null, null, null, null, "second"]);
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1"]);
    }

    [Fact]
    public async Task A_deleted_connection_never_comes_back_by_a_late_answer()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Connection(tenant.EndpointId, tenant.Account, "deleting", DateTime.UnixEpoch)];
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBeNull();
        _ec2.Connections = [Bound(tenant)];
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBeNull();
    }

    [Theory]
    [InlineData("rejected")]
    [InlineData("failed")]
    [InlineData("deleted")]
    [InlineData("never heard of")]
    public async Task A_connection_that_is_over_loses_its_binding_in_that_round(string state)
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections = [Connection(tenant.EndpointId, tenant.Account, state, DateTime.UnixEpoch)];
        await Round();
        (await Alive(tenant.EndpointId)).ShouldBeNull();
        _ec2.Accepted.ShouldBeEmpty("somebody else ended it");
    }

    [Fact]
    public async Task Suspended_for_longer_than_the_grace_is_rejected_and_taken_back_when_active_again()
    {
        var tenant = await _service.CreateTenant();
        var settings =
            new ConnectionsOptions
            {
                ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMilliseconds(1), GoneAfter = TimeSpan.Zero,
                RejectSuspendedAfter = TimeSpan.FromDays(7)
            };
        _ec2.Connections = [Connection("vpce-0ccccccccccccccc1", tenant.Account, "pendingAcceptance"), Bound(tenant)];
        await Round(settings);
        _ec2.Connections[0] = Connection("vpce-0ccccccccccccccc1", tenant.Account, "available");
        await Sql(
            $"""
            update onboarding.tenant set state = 'suspended', changed_at = now() - interval '6 days' where tenant_id = {tenant.Id.Value}
            """);
        await Round(settings);
        (await Alive("vpce-0ccccccccccccccc1")).ShouldBe(tenant.Id, "suspended tenants read");
        await Sql($"update onboarding.tenant set changed_at = now() - interval '8 days' where tenant_id = {tenant.Id.Value}");
        await Round();
        _ec2.Rejected.ShouldBeEmpty("without the setting they keep their endpoints");
        await Round(settings);
        _ec2.Rejected.ShouldBe(["vpce-0ccccccccccccccc1", tenant.EndpointId], ignoreOrder: true);
        (await Alive("vpce-0ccccccccccccccc1")).ShouldBeNull();
        (await Shown("vpce-0ccccccccccccccc1")).GetProperty("rule").GetString().ShouldBe("agreement_suspended");

        _ec2.Connections =
            [Connection("vpce-0ccccccccccccccc1", tenant.Account, "rejected"),
                Connection(tenant.EndpointId, tenant.Account, "rejected", DateTime.UnixEpoch)];
        await Round(settings);
        _ec2.Accepted.Clear();
        await Sql($"update onboarding.tenant set state = 'active', changed_at = now() where tenant_id = {tenant.Id.Value}");
        _ec2.Unsuccessful[tenant.EndpointId] = "InvalidState";
        await Round(settings);
        _ec2.Accepted.ShouldBe(["vpce-0ccccccccccccccc1", tenant.EndpointId], ignoreOrder: true);
        (await Shown(tenant.EndpointId)).GetProperty("advice").GetString()!.ShouldContain("creates it anew");
        _ec2.Connections[0] = Connection("vpce-0ccccccccccccccc1", tenant.Account, "available");
        await Round(settings);
        (await Alive("vpce-0ccccccccccccccc1")).ShouldBe(tenant.Id);
        (await Alive(tenant.EndpointId)).ShouldBeNull();
    }

    [Fact]
    public async Task An_account_that_is_taken_away_loses_its_endpoints_before_its_permission()
    {
        var tenant = await _service.CreateTenant();
        using var staff = _service.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{tenant.Id}/accounts/888888888888")).Must(System.Net.HttpStatusCode.OK);
        _ec2.Connections = [Connection("vpce-0ddddddddddddddd1", "888888888888", "pendingAcceptance"), Bound(tenant)];
        await Round();
        _ec2.Connections[0] = Connection("vpce-0ddddddddddddddd1", "888888888888", "available");
        await Round();
        (await Alive("vpce-0ddddddddddddddd1")).ShouldBe(tenant.Id);
        (await staff.Call("DELETE", $"/operator/v1/tenants/{tenant.Id}/accounts/888888888888")).Must(System.Net.HttpStatusCode.OK);
        await Round();
        (await Alive("vpce-0ddddddddddddddd1")).ShouldBeNull();
        _ec2.Rejected.ShouldBe(["vpce-0ddddddddddddddd1"]);
        _ec2.Principals.ShouldContain("arn:aws:iam::888888888888:root");
        _ec2.Connections[0] = Connection("vpce-0ddddddddddddddd1", "888888888888", "rejected");
        await Round();
        _ec2.Principals.ShouldBe([$"arn:aws:iam::{tenant.Account}:root"]);
        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id);
    }

    [Fact]
    public async Task An_account_may_be_held_to_roles_and_a_bad_principal_holds_up_no_other()
    {
        var (tenant, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var role = $"arn:aws:iam::{tenant.Account}:role/network";
        using var staff = _service.Operator();
        var path = $"/operator/v1/tenants/{tenant.Id}/accounts/{tenant.Account}";
        (await staff.Call(
            "PUT", path, new { principals = new[] { role, $"arn:aws:iam::{tenant.Account}:role/with/path" } })).Faults.ShouldBe(
                ["/principals/1 not_allowed"]);
        (await staff.Call("PUT", path, new { principals = new[] { $"arn:aws:iam::{other.Account}:role/network" } })).Faults.ShouldBe(
            ["/principals/0 not_allowed"]);
        (await staff.Call("PUT", path, new { principals = new[] { role } })).Must(System.Net.HttpStatusCode.OK);
        _ec2.Connections = [Bound(tenant), Bound(other)];
        _ec2.Principals = ["arn:aws:iam::999999999999:role/consultant"];
        _ec2.Malformed = role;
        await Round();
        _ec2.Principals.ShouldBe([$"arn:aws:iam::{other.Account}:root", "arn:aws:iam::999999999999:role/consultant"], ignoreOrder: true);
        _ec2.Malformed = null;
        await Round();
        _ec2.Principals.ShouldBe(
            [role, $"arn:aws:iam::{other.Account}:root", "arn:aws:iam::999999999999:role/consultant"], ignoreOrder: true);
        (await staff.Call("PUT", path, new { principals = Array.Empty<string>() })).Must(System.Net.HttpStatusCode.OK);
        await Round();
        // The whole account becomes an allowed principal before the role is removed.
        await Round();
        _ec2.Principals.ShouldBe(
            [$"arn:aws:iam::{tenant.Account}:root", $"arn:aws:iam::{other.Account}:root", "arn:aws:iam::999999999999:role/consultant"],
            ignoreOrder: true);
    }

    [Fact]
    public async Task An_account_of_two_tenants_waits_for_a_person_endpoint_by_endpoint()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        using var staff = _service.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{other.Id}/accounts/{mine.Account}")).Must(System.Net.HttpStatusCode.OK);
        _ec2.Connections =
            [Connection("vpce-0eeeeeeeeeeeeeee1", mine.Account, "pendingAcceptance"),
                Connection("vpce-0eeeeeeeeeeeeeee2", mine.Account, "pendingAcceptance"), Bound(mine), Bound(other)];
        await Round();
        _ec2.Accepted.ShouldBeEmpty();
        (await Listed("?waiting=true")).ShouldBe(["vpce-0eeeeeeeeeeeeeee1", "vpce-0eeeeeeeeeeeeeee2"], ignoreOrder: true);
        var first = (await Shown("vpce-0eeeeeeeeeeeeeee1")).GetProperty("id").GetString();
        var accept = $"/operator/v1/endpoint-connections/{first}:accept";
        (await staff.Call("POST", accept, new { reason = "They said so." }))
            .Must(System.Net.HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("tenant_required");
        (await staff.Call("POST", accept, new { reason = "They said so.", tenantId = $"{other.Id}" })).Must(System.Net.HttpStatusCode.OK);
        (await staff.Call("POST", accept, new { reason = "They said so.", tenantId = $"{other.Id}" })).Must(System.Net.HttpStatusCode.OK);
        await using (var scope = _service.Services.CreateAsyncScope())
        {
            (await scope.ServiceProvider.GetRequiredService<SystemDb>().Scalar<long>(
                $"""
                select count(*) from onboarding.acceptance_decision d join onboarding.endpoint_connection c on c.id = d.connection
                where c.endpoint_id = 'vpce-0eeeeeeeeeeeeeee1'
                """))
                .ShouldBe(2, "said twice, it is one decision after the policy's");
        }

        await Round();
        _ec2.Accepted.ShouldBe(["vpce-0eeeeeeeeeeeeeee1"]);
        _ec2.Connections[0] = Connection("vpce-0eeeeeeeeeeeeeee1", mine.Account, "available");
        await Round();
        (await Alive("vpce-0eeeeeeeeeeeeeee1")).ShouldBe(other.Id);
        (await Alive("vpce-0eeeeeeeeeeeeeee2")).ShouldBeNull();
        (await Listed("?waiting=true")).ShouldBe(["vpce-0eeeeeeeeeeeeeee2"]);
        (await Listed($"?tenantId={other.Id}")).ShouldBe(["vpce-0eeeeeeeeeeeeeee1", other.EndpointId], ignoreOrder: true);
        (await Listed($"?owner={mine.Account}&state=PENDINGACCEPTANCE")).ShouldBe(["vpce-0eeeeeeeeeeeeeee2"]);
        (await Listed($"?owner={mine.Account}&verdict=accept")).ShouldBe([mine.EndpointId, "vpce-0eeeeeeeeeeeeeee1"], ignoreOrder: true);
        (await staff.Call("GET", "/operator/v1/endpoint-connections?verdict=maybe")).Status.ShouldBe(
            System.Net.HttpStatusCode.UnprocessableEntity);

        // When the connection is over, no decision about it is possible.
        _ec2.Connections[0] = Connection("vpce-0eeeeeeeeeeeeeee1", mine.Account, "deleted");
        await Round();
        (await staff.Call("POST", accept, new { reason = "Again.", tenantId = $"{other.Id}" }))
            .Must(System.Net.HttpStatusCode.Conflict).Problem.ShouldBe("endpoint_connection_over");
        (await staff.Call("POST", $"/operator/v1/endpoint-connections/{first}:reject", new { reason = "Again." }))
            .Must(System.Net.HttpStatusCode.Conflict).Problem.ShouldBe("endpoint_connection_over");
    }

    [Fact]
    public async Task Of_more_connections_than_a_rule_allows_the_first_are_accepted()
    {
        var tenant = await _service.CreateTenant();
        using var staff = _service.Operator();
        object rule = new { name = "three", owner = "one_active_tenant", verdict = "accept", reason = "r", maxConnections = 3 };
        object other = new { name = "more", owner = "anyone", verdict = "reject", reason = "Three endpoints are included." };
        (await staff.Call("PUT", "/operator/v1/acceptance-policies", new { rules = new[] { rule, other } }, "*"))
            .Must(System.Net.HttpStatusCode.OK);
        _ec2.Connections =
            [Bound(tenant),
                .. Enumerable.Range(1, 4)
                    .Select(i => Connection($"vpce-0fffffffffffffff{i}", tenant.Account, "pendingAcceptance", _created.AddMinutes(i)))];
        await Round();
        await Round();
        _ec2.Accepted.Distinct().ShouldBe(["vpce-0fffffffffffffff1", "vpce-0fffffffffffffff2"], ignoreOrder: true);
        _ec2.Rejected.Distinct().ShouldBe(["vpce-0fffffffffffffff3", "vpce-0fffffffffffffff4"], ignoreOrder: true);
        var shown = await Shown("vpce-0fffffffffffffff4");
        (shown.GetProperty("rule").GetString(), shown.GetProperty("policyVersion").GetInt32()).ShouldBe(("more", 2));
    }

    [Fact]
    public async Task An_endpoint_that_was_rejected_is_given_back_to_its_own_tenant_and_never_to_another_of_the_account()
    {
        var (mine, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var settings =
            new ConnectionsOptions
            {
                ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMilliseconds(1),
                RejectSuspendedAfter = TimeSpan.FromDays(7)
            };
        using var staff = _service.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{other.Id}/accounts/{mine.Account}")).Must(System.Net.HttpStatusCode.OK);
        const string Endpoint = "vpce-0ddddddddddddddd7";
        await Show("pendingAcceptance");
        (await staff.Call("POST", await Accept(), new { reason = "They said so.", tenantId = $"{mine.Id}" }))
            .Must(System.Net.HttpStatusCode.OK);
        await Show("available");
        (await Alive(Endpoint)).ShouldBe(mine.Id);

        // A suspended tenant still counts: no endpoint of the account goes to the other tenant automatically, and an operator must name the
        // tenant.
        await Sql(
            $"update onboarding.tenant set state = 'suspended', changed_at = now() - interval '8 days' where tenant_id = {mine.Id.Value}");
        _ec2.Connections.Add(Connection("vpce-0ddddddddddddddd8", mine.Account, "pendingAcceptance"));
        await Show("available");
        _ec2.Rejected.ShouldContain(Endpoint);
        (await Shown("vpce-0ddddddddddddddd8")).GetProperty("verdict").GetString().ShouldBe("leave");
        (await staff.Call(
            "POST", $"/operator/v1/endpoint-connections/{(await Shown("vpce-0ddddddddddddddd8")).GetProperty("id").GetString()}:accept",
            new { reason = "x" }))
            .Must(System.Net.HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("tenant_required");
        await Show("rejected");
        await Show("rejected");
        (await Alive(Endpoint)).ShouldBeNull();
        (await Shown(Endpoint)).GetProperty("verdict").GetString().ShouldBe("reject");

        await Sql($"update onboarding.tenant set state = 'active', changed_at = now() where tenant_id = {mine.Id.Value}");
        _ec2.Accepted.Clear();
        await Show("rejected");
        _ec2.Accepted.ShouldBe([Endpoint]);
        await Show("available");
        (await Alive(Endpoint)).ShouldBe(mine.Id);

        // An endpoint that an operator moves leaves the first tenant at once, not with the next round.
        (await staff.Call("POST", await Accept(), new { reason = "Sold.", tenantId = $"{other.Id}" })).Must(System.Net.HttpStatusCode.OK);
        (await Alive(Endpoint)).ShouldBeNull();
        await Show("available");
        (await Alive(Endpoint)).ShouldBe(other.Id);

        async Task<string> Accept() => $"/operator/v1/endpoint-connections/{(await Shown(Endpoint)).GetProperty("id").GetString()}:accept";

        async Task Show(string state)
        {
            _ec2.Connections =
                [Connection(Endpoint, mine.Account, state),
                    .. _ec2.Connections.Where(each => each.VpcEndpointId == "vpce-0ddddddddddddddd8"), Bound(mine), Bound(other)];
            await Round(settings);
        }
    }

    [Fact]
    public async Task A_rejection_that_ec2_did_not_hear_of_is_dropped_when_the_tenant_is_active_again()
    {
        var tenant = await _service.CreateTenant();
        var settings =
            new ConnectionsOptions
            {
                ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromHours(1),
                RejectSuspendedAfter = TimeSpan.FromDays(7)
            };
        const string Endpoint = "vpce-0ddddddddddddddd9";
        _ec2.Connections = [Connection(Endpoint, tenant.Account, "pendingAcceptance"), Bound(tenant)];
        await Round(settings);
        _ec2.Connections = [Connection(Endpoint, tenant.Account, "available"), Bound(tenant)];
        await Round(settings);
        await Sql(
            $"""
            update onboarding.tenant set state = 'suspended', changed_at = now() - interval '8 days' where tenant_id = {tenant.Id.Value}
            """);
        _ec2.Unsuccessful[Endpoint] = _ec2.Unsuccessful[tenant.EndpointId] = "InternalError";
        await Round(settings);
        (await Alive(Endpoint)).ShouldBeNull();
        await Sql($"update onboarding.tenant set state = 'active', changed_at = now() where tenant_id = {tenant.Id.Value}");
        _ec2.Unsuccessful.Clear();
        _ec2.Rejected.Clear();
        await Round(settings);
        await Round(settings);
        _ec2.Rejected.ShouldBeEmpty();
        (await Alive(Endpoint)).ShouldBe(tenant.Id);
    }

    [Fact]
    public async Task A_round_whose_permissions_or_rejections_fail_still_accepts()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections =
            [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance"),
                Connection("vpce-0aaaaaaaaaaaaaaa2", "999999999999", "available"), Bound(tenant)];
        using var staff = _service.Operator();
        object[] rules =
            [new { name = "own", owner = "one_active_tenant", verdict = "accept", reason = "r" },
                new { name = "others", owner = "stranger", verdict = "reject", reason = "r" }];
        (await staff.Call("PUT", "/operator/v1/acceptance-policies", new { rules }, "*")).Must(System.Net.HttpStatusCode.OK);
        _ec2.Failing.UnionWith(["permissions", "reject"]);
        (await Should.ThrowAsync<AmazonEC2Exception>(() => Round())).ErrorCode.ShouldBe("UnauthorizedOperation");
        _ec2.Accepted.ShouldBe(["vpce-0aaaaaaaaaaaaaaa1"]);
        (await Faults()).ShouldBeEmpty("none of the items was at fault");
        _ec2.Failing.Clear();
        await Round();
        _ec2.Rejected.ShouldBe(["vpce-0aaaaaaaaaaaaaaa2"]);
        _ec2.Principals.ShouldContain($"arn:aws:iam::{tenant.Account}:root");
    }

    [Fact]
    public async Task An_empty_listing_ends_nothing_unless_the_service_is_ours_and_a_while_has_passed()
    {
        var tenant = await _service.CreateTenant();
        _ec2.Failing.Add("permissions");
        for (var round = 0; round < 5; round++)
        {
            await Should.ThrowAsync<AmazonEC2Exception>(() => Round());
        }

        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id);
        _ec2.Failing.Clear();
        var settings =
            new ConnectionsOptions { ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMilliseconds(1) };
        await Round(settings);
        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id, "it was here a moment ago");
        await Sql($"update onboarding.endpoint_connection set missed_at = missed_at - interval '3 minutes'");
        await Round(settings);
        (await Alive(tenant.EndpointId)).ShouldBeNull();
    }

    [Fact]
    public async Task A_row_that_lacks_its_time_is_passed_over_and_counts_as_listed()
    {
        var tenant = await _service.CreateTenant();
        var bad = Bound(tenant);
        bad.CreationTimestamp = null;
        _ec2.Connections = [bad, Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pendingAcceptance")];
        for (var round = 0; round < 4; round++)
        {
            await Round();
        }

        _ec2.Accepted.ShouldContain("vpce-0aaaaaaaaaaaaaaa1");
        (await Alive(tenant.EndpointId)).ShouldBe(tenant.Id);
    }

    [Theory]
    [InlineData("RequestExpired", 1)]
    [InlineData("AuthFailure", 1)]
    [InlineData("SomethingNew", 30)]
    public async Task A_fault_of_the_request_is_no_fault_of_an_item(string code, int calls)
    {
        var tenant = await _service.CreateTenant();
        _ec2.Connections =
            [.. Enumerable.Range(1, 100).Select(i => Connection($"vpce-0bbbbbbbbbbbb{i:x4}", tenant.Account, "pendingAcceptance")),
                Bound(tenant)];
        _ec2.AcceptCode = code;
        (await Should.ThrowAsync<AmazonEC2Exception>(() => Round())).ErrorCode.ShouldBe(code);
        (await Faults()).ShouldBeEmpty();
        _ec2.Calls.ShouldBeLessThanOrEqualTo(calls);
        _ec2.AcceptCode = null;
        await Round();
        _ec2.Accepted.Count.ShouldBe(100);
    }

    [Fact]
    public async Task A_refused_principal_is_retried_ever_more_rarely_and_delays_no_other()
    {
        var (closed, other) = (await _service.CreateTenant(), await _service.CreateTenant());
        var settings =
            new ConnectionsOptions
            {
                ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMinutes(1), GoneAfter = TimeSpan.Zero
            };
        _ec2.Connections = [Bound(closed), Bound(other)];
        _ec2.Malformed = $"arn:aws:iam::{closed.Account}:root";
        await Round(settings);
        _ec2.Principals.ShouldBe([$"arn:aws:iam::{other.Account}:root"]);
        (await Allowed(closed), await Allowed(other)).ShouldBe((false, true));
        var calls = _ec2.PermissionCalls;
        await Round(settings);
        _ec2.PermissionCalls.ShouldBe(calls);
        _ec2.Malformed = null;
        await Sql($"update onboarding.allowed_principal set ask_at = now() where ask_at is not null");
        await Round(settings);
        (await Allowed(closed)).ShouldBeTrue();
        _ec2.Principals.Count.ShouldBe(2);
    }

    [Fact]
    public async Task An_account_that_is_held_to_roles_keeps_its_permission_while_it_is_connected()
    {
        var tenant = await _service.CreateTenant();
        var (root, role) = ($"arn:aws:iam::{tenant.Account}:root", $"arn:aws:iam::{tenant.Account}:role/network");
        _ec2.Connections = [Bound(tenant)];
        await Round();
        using var staff = _service.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{tenant.Id}/accounts/{tenant.Account}", new { principals = new[] { role } }))
            .Must(System.Net.HttpStatusCode.OK);
        _ec2.Malformed = role;
        await Round();
        _ec2.Principals.ShouldBe([root]);
        _ec2.Connections = [Connection(tenant.EndpointId, tenant.Account, "deleted", DateTime.UnixEpoch)];
        await Round();
        _ec2.Principals.ShouldBe([root], "nothing has taken its place");
        (_ec2.Malformed, _ec2.Connections) = (null, [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "available")]);
        await Round();
        await Round();
        _ec2.Principals.ShouldBe([root, role], ignoreOrder: true, "it is connected");
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "deleted")];
        await Round();
        _ec2.Principals.ShouldBe([role]);
    }

    [Fact]
    public async Task A_connection_that_stays_pending_is_looked_at_less_often()
    {
        var tenant = await _service.CreateTenant();
        var settings = new ConnectionsOptions { ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromSeconds(10) };
        _ec2.Connections = [Connection("vpce-0aaaaaaaaaaaaaaa1", tenant.Account, "pending"), Bound(tenant)];
        (await Round(settings)).ShouldBe(TimeSpan.FromSeconds(10));
        await Sql($"update onboarding.endpoint_connection set state_at = state_at - interval '20 minutes'");
        (await Round(settings)).ShouldBe(TimeSpan.FromSeconds(10), "it was decided just now");
        await Sql(
            $"""
            with made as (
              insert into onboarding.acceptance_decision (id, connection, verdict, rule, reason, made_by, bound_tenant, at)
              select gen_random_uuid(), id, 'accept', 'operator', 'Long ago.', 'operator:olga', {tenant.Id.Value},
                now() - interval '20 minutes'
              from onboarding.endpoint_connection where lower(state) = 'pending'
              returning id, connection
            )
            update onboarding.endpoint_connection c set decision = made.id from made where c.id = made.connection
            """);
        (await Round(settings)).ShouldBeInRange(TimeSpan.FromSeconds(115), TimeSpan.FromSeconds(150));
    }

    private async Task<bool> Allowed(TestTenant tenant)
    {
        await using var scope = _service.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SystemDb>().Scalar<bool>(
            $"select allowed_at is not null as \"Value\" from onboarding.tenant_account where tenant_id = {tenant.Id.Value}");
    }

    private async Task<TimeSpan> Round(ConnectionsOptions? settings = null)
    {
        await using var scope = _service.Services.CreateAsyncScope();
        var (services, options) =
            (scope.ServiceProvider,
                Options.Create(
                    settings
                        ?? new ConnectionsOptions
                        {
                            ServiceId = Service, ServiceName = Service, PendingInterval = TimeSpan.FromMilliseconds(1),
                            GoneAfter = TimeSpan.Zero
                        }));
        var (db, metrics) = (services.GetRequiredService<SystemDb>(), services.GetRequiredService<ConnectionMetrics>());
        var api = new EndpointServiceApi(_ec2, options, metrics, TimeProvider.System);
        return await new Reconcile(
            db, api, new AllowedPrincipals(db, api, options, NullLogger<AllowedPrincipals>.Instance), options,
            services.GetRequiredService<BindingDirectory>(),
            services.GetRequiredService<BindingBell>(), metrics, TimeProvider.System, NullLogger<Reconcile>.Instance)
                .Run(CancellationToken.None);
    }

    private async Task<TenantId?> Alive(string endpoint)
    {
        var directory = _service.Services.GetRequiredService<BindingDirectory>();
        directory.Forget();
        return (await directory.ByEndpoint(endpoint, CancellationToken.None))?.Tenant;
    }

    private async Task<List<string>> Faults()
    {
        await using var scope = _service.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SystemDb>()
            .Query<string>($"select fault from onboarding.endpoint_connection where fault is not null");
    }

    private async Task Sql(FormattableString sql)
    {
        await using var scope = _service.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SystemDb>().Execute(sql);
    }

    private async Task<List<string>> Listed(string query)
    {
        using var staff = _service.Operator();
        return [
            .. (await staff.Call("GET", $"/operator/v1/endpoint-connections{query}"))
                .Must(System.Net.HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Select(each => each.GetProperty("endpointId").GetString()!)];
    }

    private async Task<System.Text.Json.JsonElement> Shown(string endpoint)
    {
        using var staff = _service.Operator();
        return (await staff.Call("GET", "/operator/v1/endpoint-connections?limit=200")).Json.GetProperty("items").EnumerateArray()
            .Single(each => each.GetProperty("endpointId").GetString() == endpoint);
    }

    private static VpcEndpointConnection Bound(TestTenant tenant) =>
        Connection(tenant.EndpointId, tenant.Account, "available", DateTime.UnixEpoch);

    private static VpcEndpointConnection Connection(string id, string owner, string state, DateTime? created = null) => new()
    {
        ServiceId = Service,
        VpcEndpointId = id,
        VpcEndpointOwner = owner,
        VpcEndpointState = State.FindValue(state),
        CreationTimestamp = created ?? _created,
    };

    private sealed class Ec2 : AmazonEC2Client
    {
        public Ec2()
            : base(new Amazon.Runtime.AnonymousAWSCredentials(), new AmazonEC2Config { ServiceURL = "http://127.0.0.1:1" })
        {
        }

        public List<VpcEndpointConnection> Connections { get; set; } = [];

        public HashSet<string> Principals { get; set; } = [];

        public Dictionary<string, string> Unsuccessful { get; } = [];

        public List<string> Accepted { get; } = [];

        public List<string> Rejected { get; } = [];

        /// <summary>An endpoint or principal for which EC2 refuses the whole request.</summary>
        public string? Malformed { get; set; }

        /// <summary>Operations that EC2 denies the service: permissions, reject.</summary>
        public HashSet<string> Failing { get; } = [];

        /// <summary>The code with which EC2 refuses to accept anything.</summary>
        public string? AcceptCode { get; set; }

        public int PermissionCalls { get; private set; }

        /// <summary>The number of calls that are throttled first.</summary>
        public int Throttles { get; set; }

        public int Calls { get; private set; }

        /// <summary>Tokens of the requested pages.</summary>
        public List<string?> Pages { get; } = [];

        public override Task<DescribeVpcEndpointConnectionsResponse> DescribeVpcEndpointConnectionsAsync(
            DescribeVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default)
        {
            Pages.Add(request.NextToken);
            if (Throttles-- > 0)
            {
                throw new AmazonEC2Exception(
                    "Request limit exceeded.", Amazon.Runtime.ErrorType.Unknown, "RequestLimitExceeded", "",
                    System.Net.HttpStatusCode.ServiceUnavailable);
            }

            // Always two pages, whatever the request.
            var half = Connections.Count / 2;
            return Task.FromResult(request.NextToken is null
                ? new DescribeVpcEndpointConnectionsResponse { VpcEndpointConnections = Connections[..half], NextToken = "second" }
                : new DescribeVpcEndpointConnectionsResponse { VpcEndpointConnections = Connections[half..] });
        }

        public override Task<DescribeVpcEndpointServicePermissionsResponse> DescribeVpcEndpointServicePermissionsAsync(
            DescribeVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default)
        {
            Fail("permissions");
            return Task.FromResult(
                new DescribeVpcEndpointServicePermissionsResponse
                {
                    AllowedPrincipals = [.. Principals.Select(each => new AllowedPrincipal { Principal = each })]
                });
        }

        public override Task<ModifyVpcEndpointServicePermissionsResponse> ModifyVpcEndpointServicePermissionsAsync(
            ModifyVpcEndpointServicePermissionsRequest request, CancellationToken cancellationToken = default)
        {
            PermissionCalls++;
            Refuse(request.AddAllowedPrincipals ?? [], "InvalidPrincipal");
            Principals.UnionWith(request.AddAllowedPrincipals ?? []);
            Principals.ExceptWith(request.RemoveAllowedPrincipals ?? []);
            return Task.FromResult(new ModifyVpcEndpointServicePermissionsResponse { ReturnValue = true });
        }

        public override Task<AcceptVpcEndpointConnectionsResponse> AcceptVpcEndpointConnectionsAsync(
            AcceptVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default)
        {
            Calls++;
            Refuse(request.VpcEndpointIds!, "InvalidVpcEndpointId.Malformed");
            if (AcceptCode is { } code)
            {
                throw new AmazonEC2Exception("Not now.", Amazon.Runtime.ErrorType.Unknown, code, "", System.Net.HttpStatusCode.BadRequest);
            }

            Accepted.AddRange(request.VpcEndpointIds!);
            return Task.FromResult(new AcceptVpcEndpointConnectionsResponse { Unsuccessful = Faults(request.VpcEndpointIds!) });
        }

        public override Task<RejectVpcEndpointConnectionsResponse> RejectVpcEndpointConnectionsAsync(
            RejectVpcEndpointConnectionsRequest request, CancellationToken cancellationToken = default)
        {
            Fail("reject");
            Rejected.AddRange(request.VpcEndpointIds!);
            return Task.FromResult(new RejectVpcEndpointConnectionsResponse { Unsuccessful = Faults(request.VpcEndpointIds!) });
        }

        private List<UnsuccessfulItem> Faults(List<string> ids) =>
            [.. ids.Where(Unsuccessful.ContainsKey)
                .Select(id => new UnsuccessfulItem { ResourceId = id, Error = new UnsuccessfulItemError { Code = Unsuccessful[id] } })];

        private void Fail(string operation)
        {
            if (Failing.Contains(operation))
            {
                throw new AmazonEC2Exception(
                    "You are not authorized.", Amazon.Runtime.ErrorType.Unknown, "UnauthorizedOperation", "",
                    System.Net.HttpStatusCode.Forbidden);
            }
        }

        private void Refuse(List<string> items, string code)
        {
            if (Malformed is { } bad && items.Contains(bad))
            {
                throw new AmazonEC2Exception("Bad item.", Amazon.Runtime.ErrorType.Unknown, code, "", System.Net.HttpStatusCode.BadRequest);
            }
        }
    }
}
