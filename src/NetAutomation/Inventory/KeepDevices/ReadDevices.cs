using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Select;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>Which devices are wanted.</summary>
public sealed record DeviceFilter(
    [property: Description("Only devices of this site.")] SiteId? Site = null,
    [property: Description("Label selector, for example site=ams,role in (edge,core),!lab.")] string? Selector = null);

internal static class ReadDevices
{
    /// <summary>The tenant's devices.</summary>
    internal static async Task<Results<Ok<Page<DeviceResource>>, Problem>> List(
        [AsParameters] DeviceFilter filter, [AsParameters] PageQuery page, NetAutomationDb db, Evaluations evaluations,
        CancellationToken cancel)
    {
        var devices = db.Set<Device>().AsQueryable();
        if (filter.Selector is not null)
        {
            if (Selector.Read(filter.Selector, "/selector").Refused(out var problem, out var selector))
            {
                return problem;
            }

            devices = await TargetResolver.Select(db, selector, evaluations.Begin(cancel), cancel);
        }

        if (filter.Site is { } site)
        {
            devices = devices.Where(device => device.SiteId == site);
        }

        return await DeviceResource.Rows.List(page, db, cancel, devices, filter);
    }

    /// <summary>One device.</summary>
    internal static Task<Results<Ok<DeviceResource>, Problem>> Show(
        DeviceId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        DeviceResource.Rows.Show(id, db, http, cancel);
}
