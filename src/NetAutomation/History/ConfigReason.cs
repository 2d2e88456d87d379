namespace NetAutomation.History;

/// <summary>Why a configuration was read.</summary>
public enum ConfigReason
{
    /// <summary>By a run that only reads.</summary>
    Backup,

    /// <summary>By a run that may write, before it did.</summary>
    Before,

    /// <summary>By the same run, after it did.</summary>
    After,
}
