using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Windows;

internal static class ReadWindows
{
    /// <summary>The tenant's windows, newest first.</summary>
    public static async Task<Results<Ok<Page<WindowView>>, Problem>> List(NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        var read = await page.Read<WindowView>(
            "windows", async (below, take) => [.. (await WindowView.Read(db, caller.Tenant, null, below, take, cancel)).Select(row => row.View())], view => view.Id.Value);
        return read.Refused(out var problem, out var found) ? problem : TypedResults.Ok(found);
    }

    /// <summary>One window.</summary>
    public static async Task<Results<Ok<WindowView>, Problem>> Show(WindowId id, NetAutomationDb db, Caller caller, HttpContext http, CancellationToken cancel)
    {
        if (await WindowView.Read(db, caller.Tenant, id.Value, null, 1, cancel) is not [var row])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, row.Version);
        return TypedResults.Ok(row.View());
    }
}
