namespace NetAutomation.Inventory;

/// <summary>How to reach and log in to a device. Its secrets are zeroed when it is disposed.</summary>
internal sealed record DeviceLogin : IDisposable
{
    public required DeviceId DeviceId { get; init; }

    public required string Name { get; init; }

    public required SiteId SiteId { get; init; }

    public required string Address { get; init; }

    public required int Port { get; init; }

    public required string Platform { get; init; }

    public required string Username { get; init; }

    public required Secret? Password { get; init; }

    public required Secret? PrivateKey { get; init; }

    public required Secret? Passphrase { get; init; }

    public required Secret? Enable { get; init; }

    /// <summary>The pin; null where the device was never seen.</summary>
    public required string? HostKeySha256 { get; init; }

    /// <summary>The public key behind the pin, as an OpenSSH line without host (<c>ssh-ed25519 AAAA…</c>), where it was seen.</summary>
    public required string? HostKey { get; init; }

    public void Dispose()
    {
        Password?.Dispose();
        PrivateKey?.Dispose();
        Passphrase?.Dispose();
        Enable?.Dispose();
    }
}
