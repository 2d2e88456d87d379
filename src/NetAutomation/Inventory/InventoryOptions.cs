using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace NetAutomation.Inventory;

/// <summary>Settings of the inventory.</summary>
internal sealed partial class InventoryOptions : IValidatableObject
{
    /// <summary>
    /// Folder of a root key that wraps every tenant's key, where there is no <see cref="KmsKeyArn"/>, or was none. The key is made at the
    /// first start; lose it and every credential is lost.
    /// </summary>
    public string KeyDirectory { get; set; } = "";

    /// <summary>ARN of the symmetric key of AWS KMS that wraps every tenant's key.</summary>
    public string KmsKeyArn { get; set; } = "";

    /// <summary>ARNs of those before it. Needed until <c>inventory.rewrap-keys</c> has run once with the newest.</summary>
    public string[] FormerKmsKeyArns { get; set; } = [];

    /// <summary>Lets devices have loopback addresses; for tests and demos on one machine.</summary>
    public bool AllowLoopback { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeyDirectory.Length == 0 && KmsKeyArn.Length == 0)
        {
            yield return new("Inventory:KmsKeyArn or Inventory:KeyDirectory is needed: the key that wraps the tenants' keys.");
        }

        if (FormerKmsKeyArns.Length > 0 && KmsKeyArn.Length == 0)
        {
            yield return new("Inventory:FormerKmsKeyArns is of use only beside Inventory:KmsKeyArn.");
        }

        foreach (var arn in FormerKmsKeyArns.Append(KmsKeyArn).Where(arn => arn.Length > 0 && !Arn().IsMatch(arn)))
        {
            // An alias may come to name another key.
            yield return new($"Inventory: '{arn}' is not the ARN of a key of AWS KMS (arn:aws:kms:REGION:ACCOUNT:key/ID).");
        }
    }

    [GeneratedRegex(@"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", RegexOptions.None, 1000)]
    private static partial Regex Arn();
}
