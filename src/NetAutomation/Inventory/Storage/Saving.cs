using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Inventory.Storage;

/// <summary>The database decides uniqueness and use; here its refusals become the API's.</summary>
internal static class Saving
{
    /// <summary>Null where it is saved. Deferred constraints of other modules are checked now, not at the commit.</summary>
    /// <param name="inUse">The refusal where other rows still point at what was deleted.</param>
    public static async Task<Problem?> Save(this NetAutomationDb db, ProblemType inUse, CancellationToken cancel)
    {
        try
        {
            await db.SaveChangesAsync(cancel);
            await db.Execute($"set constraints all immediate", cancel);
            return null;
        }
        catch (DbUpdateConcurrencyException)
        {
            return Web.Problems.PreconditionFailed.With();
        }
        catch (Exception fault) when ((fault as PostgresException ?? fault.InnerException as PostgresException) is { } refusal && Of(refusal, inUse) is { } type)
        {
            return type.With();
        }
    }

    private static ProblemType? Of(PostgresException refusal, ProblemType inUse) => (refusal.SqlState, refusal.ConstraintName) switch
    {
        (PostgresErrorCodes.UniqueViolation, "site_name") => Problems.SiteNameTaken,
        (PostgresErrorCodes.UniqueViolation, "credential_name") => Problems.CredentialNameTaken,
        (PostgresErrorCodes.UniqueViolation, "device_name") => Problems.DeviceNameTaken,
        (PostgresErrorCodes.UniqueViolation, "device_address") => Problems.DeviceAddressTaken,
        (PostgresErrorCodes.ForeignKeyViolation or PostgresErrorCodes.RestrictViolation, _) => inUse,
        _ => null,
    };
}
