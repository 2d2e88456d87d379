using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Inventory;

/// <summary>Settings of the inventory.</summary>
internal sealed class InventoryOptions
{
    /// <summary>
    /// Folder of the root key that wraps every tenant's key. The key is made at the first start; lose it and every credential is lost.
    /// </summary>
    [Required(ErrorMessage = "Inventory:KeyDirectory is needed: the folder of the key that wraps the tenants' keys.")]
    public string KeyDirectory { get; set; } = "";

    /// <summary>Lets devices have loopback addresses; for tests and demos on one machine.</summary>
    public bool AllowLoopback { get; set; }
}
