using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Windows;

internal static class ReadWindows
{
    /// <summary>The tenant's windows, newest first.</summary>
    public static Task<Results<Ok<Page<WindowView>>, Problem>> List(
        [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel) =>
        WindowView.Rows.List(page, db, cancel);

    /// <summary>One window.</summary>
    public static Task<Results<Ok<WindowView>, Problem>> Show(
        WindowId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        WindowView.Rows.Show(id, db, http, cancel);
}
