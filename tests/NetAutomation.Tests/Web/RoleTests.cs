using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Support;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

/// <summary>Each operation declares the role it needs, the documents list it, and it is checked before anything else is read.</summary>
public sealed partial class RoleTests(PostgresServer postgres)
{
    [Fact]
    public async Task Member_without_the_role_of_an_operation_is_refused_before_its_body_is_read()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api"]);
        var tenant = await host.CreateTenant();
        var operations = await ApiOperation.All(tenant.Client);
        operations.Count.ShouldBeGreaterThan(60);
        var faults = new List<string>();
        foreach (var role in Enum.GetValues<MemberRole>())
        {
            using var client = await host.CreateKey(tenant, role);
            foreach (var operation in operations)
            {
                var needed = Wire.Value<MemberRole>(RoleOf(operation));
                var answer = await Send(client, operation.Verb, operation.At(_ => "x"));
                if (answer.Status == HttpStatusCode.Forbidden != role < needed
                    || (role < needed && answer.Problem != "role_insufficient"))
                {
                    faults.Add($"{role}: {operation.Verb} {operation.Path}: {answer.Status} {answer.Text}");
                }
            }
        }

        faults.ShouldBeEmpty();
        foreach (var role in new[] { "operator", "admin" })
        {
            Listed("docs/api.md", role).ShouldBe(
                operations.Where(operation => RoleOf(operation) == role).Select(operation => operation.Name), ignoreOrder: true);
        }

        // Money is an admin's.
        Listed("docs/api.md", "admin").ShouldContain("BuyBlock");
        Listed("docs/api.md", "admin").ShouldContain("ChangeEntitlement");
        Listed("docs/api.md", "admin").ShouldContain("PutBudget");
    }

    [Fact]
    public async Task Operator_without_the_role_of_an_operation_is_refused_before_its_body_is_read()
    {
        var roles = Enum.GetValues<OperatorRole>();
        await using var host = await ServiceHost.Start(
            await postgres.Create(),
            ["Roles:1=api", .. roles.SelectMany((role, i) => ServiceHost.OperatorKey(2 + i, $"{role}", $"key-{role}", Wire.Name(role)))]);
        var operations = host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/operator/v1/", StringComparison.Ordinal))
            .Select(endpoint => (
                Verb: endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods.Single(),
                Path: endpoint.RoutePattern.RawText!, endpoint.Metadata.GetRequiredMetadata<RequiredOperatorRole>().Role))
            .ToList();
        operations.Count.ShouldBeGreaterThan(45);
        var faults = new List<string>();
        foreach (var role in roles)
        {
            using var client = host.Operator($"key-{role}");
            foreach (var operation in operations)
            {
                var answer = await Send(client, operation.Verb, Parameter().Replace(operation.Path, "x"));
                if (answer.Status == HttpStatusCode.Forbidden != (role != operation.Role))
                {
                    faults.Add($"{role}: {operation.Verb} {operation.Path}: {answer.Status} {answer.Text}");
                }
            }
        }

        faults.ShouldBeEmpty();
        foreach (var role in new[] { OperatorRole.Act, OperatorRole.Money })
        {
            Listed("docs/operating.md", Wire.Name(role)).ShouldBe(
                operations.Where(operation => operation.Role == role)
                    .Select(operation => $"{operation.Verb} {operation.Path["/operator/v1".Length..]}"),
                ignoreOrder: true);
        }
    }

    /// <summary>A body that is no JSON, for those who take one.</summary>
    private static Task<Answer> Send(HttpClient client, string verb, string path) => client.Call(
        verb, path, verb == "GET" ? null : new StringContent("{", Encoding.UTF8, "application/json"), "*");

    private static string RoleOf(ApiOperation operation) => operation.Value["x-role"]!.GetValue<string>();

    private static List<string> Listed(string document, string role) =>
    [
        .. File.ReadLines(Path.Combine(PostgresServer.RepositoryRoot(), document))
            .Where(line => line.StartsWith($"| {role} |", StringComparison.Ordinal))
            .SelectMany(line => Quoted().Matches(line)).Select(match => match.Groups["name"].Value),
    ];

    [GeneratedRegex(@"\{\w+\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Quoted();
}
