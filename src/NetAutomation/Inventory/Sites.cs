using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory;

/// <summary>Sites, for other modules.</summary>
internal static class Sites
{
    public static Task<bool> Exists(NetAutomationDb db, SiteId site, CancellationToken cancel = default) =>
        db.Set<Site>().AnyAsync(row => row.Id == site, cancel);
}
