namespace NetAutomation.Inventory;

/// <summary>A password that a run may have given a device: the next login finds out whether this one or the other one counts.</summary>
/// <param name="Id">Of this time that it was given.</param>
internal sealed record PendingPassword(Guid Id, Secret Text)
{
    /// <summary>This run gives it to the device. Until then it stays whatever a login says.</summary>
    public bool Given { get; init; }

    /// <summary>For the login's user letter by letter: some devices take a name in capitals for the same user, others do not.</summary>
    public bool Own { get; init; }

    /// <summary>A session with the device was asked for since.</summary>
    public bool Dialled { get; set; }

    /// <summary>No run before may have given it to the device.</summary>
    public bool First { get; init; }
}

/// <summary>What is known of a pending password.</summary>
/// <param name="Holds">It is the device's password; otherwise the device never got it, or has it no more.</param>
internal sealed record PasswordVerdict(Guid Id, bool Holds);
