namespace NetAutomation.Catalog;

/// <summary>What a block may do to a device, which decides what happens after a lost worker.</summary>
public enum Effect
{
    /// <summary>Changes nothing; may be repeated at will.</summary>
    Read,

    /// <summary>A second apply changes nothing more; may be repeated once after a check.</summary>
    Idempotent,

    /// <summary>Applies as a whole or not at all, but a second apply may do more.</summary>
    Transactional,

    /// <summary>Nothing is promised about a second apply.</summary>
    Unsafe,
}
