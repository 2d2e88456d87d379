using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>Refusals of the catalogue.</summary>
internal static class Problems
{
    public static readonly ProblemType VersionWithdrawn = new("version_withdrawn", 422, "The block version was withdrawn");
    public static readonly ProblemType InvalidBlock = new("invalid_block", 422, "The block may not be published");
}
