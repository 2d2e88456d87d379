using NetAutomation.Web;

namespace NetAutomation.Inventory;

/// <summary>Refusals of the inventory.</summary>
internal static class Problems
{
    public static readonly ProblemType SiteNameTaken = new("site_name_taken", 409, "Another site has this name");
    public static readonly ProblemType SiteInUse = new("site_in_use", 409, "Devices or connectors belong to the site");
    public static readonly ProblemType CredentialNameTaken = new("credential_name_taken", 409, "Another credential has this name");
    public static readonly ProblemType CredentialInUse =
        new("credential_in_use", 409, "Devices, schedules or open runs use the credential");
    public static readonly ProblemType DeviceNameTaken = new("device_name_taken", 409, "Another device has this name");
    public static readonly ProblemType DeviceAddressTaken =
        new("device_address_taken", 409, "Another device of the site has this address and port");
    public static readonly ProblemType DeviceInUse = new("device_in_use", 409, "A run holds the device");
}
