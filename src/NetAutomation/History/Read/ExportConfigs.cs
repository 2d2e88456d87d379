using System.Runtime.CompilerServices;
using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.History.Read;

/// <summary>The configurations in a tenant's export: each as lists show it, and the newest one of a device with its text.</summary>
internal static class ExportConfigs
{
    private const int AtOnce = 200;

    public static async IAsyncEnumerable<JsonElement> Rows(ExportSource source, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (db, tenant) = (source.Db, source.Caller.Tenant);
        var texts = source.Services.GetRequiredService<ConfigTexts>();
        for (var device = await Next(db, tenant, DeviceId.None, cancel); device is { } id; device = await Next(db, tenant, id, cancel))
        {
            Guid? below = null;
            List<ConfigView> page;
            do
            {
                string? text;
                await using (await db.Begin(tenant, cancel))
                {
                    page = await ConfigView.Of(db, tenant, id, AtOnce, cancel, below);
                    text = below is null && page.Count > 0 ? await Text(texts, tenant, page[0], cancel) : null;
                }

                foreach (var config in page)
                {
                    yield return JsonSerializer.SerializeToElement(new { config, text }, Json.Api);
                    (below, text) = (config.Id.Value, null);
                }
            }
            while (page.Count == AtOnce);
        }
    }

    private static async Task<DeviceId?> Next(NetAutomationDb db, TenantId tenant, DeviceId above, CancellationToken cancel)
    {
        await using (await db.Begin(tenant, cancel))
        {
            return await db.Scalar<DeviceId?>(
                $"""
                select device_id from history.device where tenant_id = {tenant.Value} and device_id > {above.Value}
                order by device_id limit 1
                """,
                cancel);
        }
    }

    private static async Task<string?> Text(ConfigTexts texts, TenantId tenant, ConfigView config, CancellationToken cancel) =>
        await texts.Open(tenant, config.DeviceId, cancel, config.Version) is { Texts: [var lines] } open
            ? open.Shown(lines) : null;
}
