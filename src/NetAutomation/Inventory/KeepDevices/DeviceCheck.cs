using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>Checks one device before it is written, except for the rules that only the database can decide.</summary>
internal sealed class DeviceCheck(NetAutomationDb db, IOptions<InventoryOptions> options)
{
    public async Task<Outcome<DeviceFacts>> Check(DeviceFacts facts, CancellationToken cancel)
    {
        var (canonical, faults) = facts.Check("", options.Value.AllowLoopback, await PlatformCatalog.All(db, cancel));
        if (!await Sites.Exists(db, facts.SiteId, cancel))
        {
            faults.Add(new ProblemError("/siteId", "unknown_site", "There is no such site."));
        }

        if (!await db.Set<Credential>().AnyAsync(row => row.Id == facts.CredentialId && row.Kind != LoginKind.Secret, cancel))
        {
            faults.Add(new ProblemError("/credentialId", "unknown_credential", "There is no such credential that is a login."));
        }

        return faults.Count > 0 ? new Problem(Web.Problems.Refused, errors: faults) : canonical;
    }
}
