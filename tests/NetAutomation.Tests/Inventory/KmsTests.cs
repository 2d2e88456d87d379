using System.Net;
using System.Security.Cryptography;
using Amazon.KeyManagementService;
using Amazon.Runtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using NetAutomation.Inventory.Seal;
using NetAutomation.Persistence;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

/// <summary>Keys of tenants wrapped by AWS KMS, through Amazon's own client.</summary>
public sealed class KmsTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly string[] _ids = ["1a2b3c4d-0000-4000-8000-000000000001", "1a2b3c4d-0000-4000-8000-000000000002"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-kms-");
    private SimulatedCloud _cloud = null!;
    private TestDatabase _database = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.Create();
        _cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options() with { Keys = _ids });
    }

    public async ValueTask DisposeAsync()
    {
        await _cloud.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Keys_of_a_file_move_to_KMS_and_to_its_next_key_while_they_are_used()
    {
        var file = $"Inventory:KeyDirectory={_folder.FullName}/keys";
        string[] first = [file, $"Inventory:KmsKeyArn={Arn(0)}"];
        string[] second = ["Inventory:KeyDirectory=", $"Inventory:KmsKeyArn={Arn(1)}", $"Inventory:FormerKmsKeyArns:0={Arn(0)}"];
        await using (var host = await ServiceHost.Start(_database, [file]))
        {
            var tenant = await host.CreateTenant();
            (await tenant.Client.Call("POST", "/v1/credentials", Login("c1"))).Must(HttpStatusCode.Created);
        }

        var seen = await Wrapped();
        foreach (var settings in new[] { first, second })
        {
            await using var host = await Start(settings);
            var tenant = await host.CreateTenant();
            (await tenant.Client.Call("POST", "/v1/credentials", Login("c2"))).Must(HttpStatusCode.Created);
            await Rewrap(host);
            var now = await Wrapped();
            now.Count.ShouldBe(seen.Count + 1);
            now.Select(wrapped => Convert.ToHexString(wrapped, 0, IRootKey.FingerprintBytes)).Distinct().Count().ShouldBe(1);
            now.ShouldNotContain(wrapped => seen.Any(before => before.SequenceEqual(wrapped)));
            seen = now;
            (await tenant.Client.Call("POST", "/v1/credentials", Login("c3"))).Must(HttpStatusCode.Created);
        }

        // Neither the file nor the former key is needed any more.
        await _cloud.ControlAsync(HttpMethod.Post, $"/control/keys/{_ids[0]}:disable");
        await using var last = await Start(["Inventory:KeyDirectory=", $"Inventory:KmsKeyArn={Arn(1)}"]);
        await using var scope = last.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        var all = await db.Query<Row>($"select tenant_id, version, wrapped from inventory.tenant_key");
        var root = last.Services.GetRequiredService<RootKeys>();
        foreach (var row in all)
        {
            (await root.Unwrap(row.TenantId, row.Version, row.Wrapped, CancellationToken.None)).Length.ShouldBe(32);
            await Should.ThrowAsync<CryptographicException>(
                () => root.Unwrap(TenantId.New(), row.Version, row.Wrapped, CancellationToken.None));
        }
    }

    [Fact]
    public async Task Key_that_does_not_answer_is_no_fault_of_the_callers_and_leaves_nothing_half_done()
    {
        await using var host = await Start(["Inventory:KeyDirectory=", $"Inventory:KmsKeyArn={Arn(0)}"]);
        var tenant = await host.CreateTenant();
        await _cloud.ControlAsync(HttpMethod.Post, $"/control/keys/{_ids[0]}:disable");

        var refused = (await tenant.Client.Call("POST", "/v1/credentials", Login("c1"))).Must(HttpStatusCode.ServiceUnavailable);

        refused.Problem.ShouldBe("unavailable");
        refused.Text.ShouldNotContain("kms", Case.Insensitive);
        (await Wrapped()).ShouldBeEmpty();
        (await tenant.Client.Call("GET", "/v1/credentials")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
        await _cloud.ControlAsync(HttpMethod.Post, $"/control/keys/{_ids[0]}:enable");
        (await tenant.Client.Call("POST", "/v1/credentials", Login("c1"))).Must(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Key_that_was_destroyed_is_not_wrapped_anew()
    {
        await using var host = await Start(["Inventory:KeyDirectory=", $"Inventory:KmsKeyArn={Arn(0)}"]);
        var tenant = await host.CreateTenant();
        (await tenant.Client.Call("POST", "/v1/credentials", Login("c1"))).Must(HttpStatusCode.Created);
        await using var scope = host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SystemDb>().Execute($"update inventory.tenant_key set wrapped = ''");

        await Rewrap(host);

        (await Wrapped()).ShouldHaveSingleItem().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("KmsKeyArn or Inventory:KeyDirectory is needed")]
    [InlineData("is not the ARN of a key", "Inventory:KmsKeyArn=arn:aws:kms:us-east-1:111111111111:alias/tenants")]
    [InlineData("is not the ARN of a key", "Inventory:KmsKeyArn=1a2b3c4d-0000-4000-8000-000000000001")]
    [InlineData("only beside", "Inventory:FormerKmsKeyArns:0=arn:aws:kms:us-east-1:111111111111:key/a", "Inventory:KeyDirectory=/tmp/k")]
    public async Task Service_without_a_key_that_is_named_for_good_does_not_start(string message, params string[] settings) =>
        (await Should.ThrowAsync<OptionsValidationException>(() => ServiceHost.Start(_database, ["Inventory:KeyDirectory=", .. settings])))
            .Message.ShouldContain(message);

    private static string Arn(int key) => $"arn:aws:kms:us-east-1:{SimulatedCloud.Provider}:key/{_ids[key]}";

    private static object Login(string name) => new { name, username = "u", kind = "password", password = "p4ssw0rd" };

    private Task<ServiceHost> Start(string[] settings) => ServiceHost.Start(
        _database, settings, builder => builder.Services.Replace(ServiceDescriptor.Singleton(
            new Lazy<IAmazonKeyManagementService>(() => new AmazonKeyManagementServiceClient(
                new BasicAWSCredentials($"AKIA{SimulatedCloud.Provider}", $"secret-of-{SimulatedCloud.Provider}"),
                new AmazonKeyManagementServiceConfig
                {
                    ServiceURL = _cloud.AwsUrl.ToString(), AuthenticationRegion = "us-east-1", MaxErrorRetry = 0,
                })))));

    private static async Task Rewrap(ServiceHost host)
    {
        await using var scope = host.Services.CreateAsyncScope();
        await ActivatorUtilities.GetServiceOrCreateInstance<RewrapKeys>(scope.ServiceProvider).Run(CancellationToken.None);
    }

    private async Task<List<byte[]>> Wrapped()
    {
        await using var source = Npgsql.NpgsqlDataSource.Create(_database.Owner);
        await using var command = source.CreateCommand("select wrapped from inventory.tenant_key");
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<byte[]>();
        while (await reader.ReadAsync())
        {
            rows.Add((byte[])reader[0]);
        }

        return rows;
    }

    private sealed record Row(TenantId TenantId, int Version, byte[] Wrapped);
}
