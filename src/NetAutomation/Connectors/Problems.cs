using NetAutomation.Web;

namespace NetAutomation.Connectors;

/// <summary>Refusals of this module.</summary>
internal static class Problems
{
    public static readonly ProblemType NameTaken = new("connector_name_taken", 409, "Another connector has this name");
}
