namespace NetAutomation.Inventory;

/// <summary>Which secrets a credential holds.</summary>
public enum LoginKind
{
    /// <summary>A login password.</summary>
    Password,

    /// <summary>An SSH private key, with or without a passphrase.</summary>
    SshKey,

    /// <summary>
    /// A login, by password or key, that then enters the privileged mode, with the mode's password where the device asks for one.
    /// </summary>
    Enable,

    /// <summary>No login: one text, such as a key between routers, that blocks put on devices. It is given as the password.</summary>
    Secret,
}
