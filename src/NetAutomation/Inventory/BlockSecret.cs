namespace NetAutomation.Inventory;

/// <summary>A secret that a block puts on devices.</summary>
/// <param name="Version">Grows with every rotation.</param>
internal sealed record BlockSecret(int Version, Secret Text)
{
    /// <summary>The text, once: the secret is zeroed then.</summary>
    public string Reveal()
    {
        using (Text)
        {
            return Text.Reveal();
        }
    }
}
