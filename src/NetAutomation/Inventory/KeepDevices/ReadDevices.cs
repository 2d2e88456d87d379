using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Select;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>Which devices are wanted.</summary>
public sealed record DeviceFilter(
    [property: Description("Only devices of this site.")] SiteId? Site = null,
    [property: Description("Label selector, for example site=ams,role in (edge,core),!lab.")] string? Selector = null);

internal static class ReadDevices
{
    /// <summary>The tenant's devices.</summary>
    internal static async Task<Results<Ok<Page<DeviceResource>>, Problem>> List(
        [AsParameters] DeviceFilter filter, [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel)
    {
        var devices = db.Set<Device>().AsQueryable();
        if (filter.Selector is not null)
        {
            if (Selector.Read(filter.Selector, out var fault) is not { } selector)
            {
                return Web.Problems.Refused.At("/selector", "selector", fault!);
            }

            devices = db.Set<Device>().FromSql(selector.Query());
        }

        if (filter.Site is { } site)
        {
            devices = devices.Where(device => device.SiteId == site);
        }

        var read = await page.Read(
            $"devices {filter}",
            (below, count) => Below(devices, below).AsNoTracking().Take(count).ToListAsync(cancel),
            device => device.Id.Value);
        return read.Refused(out var problem, out var found)
            ? problem
            : TypedResults.Ok(new Page<DeviceResource>([.. found.Items.Select(DeviceResource.Of)], found.Next));
    }

    /// <summary>One device.</summary>
    internal static async Task<Results<Ok<DeviceResource>, Problem>> Show(DeviceId id, NetAutomationDb db, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Device>().AsNoTracking().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } device)
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, device.Version);
        return TypedResults.Ok(DeviceResource.Of(device));
    }

    private static IQueryable<Device> Below(IQueryable<Device> devices, Guid? below)
    {
        if (below is { } id)
        {
            var last = new DeviceId(id);
            devices = devices.Where(device => device.Id.CompareTo(last) < 0);
        }

        return devices.OrderByDescending(device => device.Id);
    }
}
