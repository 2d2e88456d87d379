using System.Net;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

/// <summary>A tenant with a site and a credential, and methods to add devices.</summary>
internal sealed record Inventories(SharedHost Shared, TestTenant Tenant, string Site, string Credential)
{
    public HttpClient Client => Tenant.Client;

    public static async Task<Inventories> Create(SharedHost shared)
    {
        var tenant = await shared.Host.CreateTenant();
        var site = (await tenant.Client.Call("POST", "/v1/sites", new { name = "ams" })).Must(HttpStatusCode.Created).Id;
        var credential =
            (await tenant.Client.Call(
                "POST", "/v1/credentials", new { name = "lab", username = "admin", kind = "password", password = "s3cret" }))
            .Must(HttpStatusCode.Created).Id;
        return new Inventories(shared, tenant, site, credential);
    }

    public Task<Answer> Add(string name, string address, object? labels = null, bool enabled = true, int port = 22) => Client.Call(
        "POST", "/v1/devices",
        new { name, siteId = Site, address, port, platform = "frr", credentialId = Credential, labels = labels ?? new { }, enabled });

    /// <summary>Runs work inside a transaction of the tenant.</summary>
    public async Task<T> In<T>(Func<NetAutomationDb, Task<T>> work)
    {
        await using var db =
            new NetAutomationDb(
                new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(Shared.Database.App).UseSnakeCaseNamingConvention()
                    .AddInterceptors(DeferredStatements.Interceptor).Options);
        await using var transaction = await db.Begin(Tenant.Id, CancellationToken.None);
        var result = await work(db);
        await transaction.CommitAsync();
        return result;
    }
}
