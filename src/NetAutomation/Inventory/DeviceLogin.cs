namespace NetAutomation.Inventory;

/// <summary>How to reach and log in to a device. Its secrets are zeroed when it is disposed.</summary>
/// <param name="HostKeySha256">The pin; null where the device was never seen.</param>
/// <param name="HostKey">
/// The public key behind the pin, as an OpenSSH line without host (<c>ssh-ed25519 AAAA…</c>), where it was seen.
/// </param>
internal sealed record DeviceLogin(
    DeviceId DeviceId, string Name, SiteId SiteId, string Address, int Port, string Platform, string Username, Secret? Password,
    Secret? PrivateKey, Secret? Passphrase, Secret? Enable, string? HostKeySha256, string? HostKey) : IDisposable
{
    public void Dispose()
    {
        Password?.Dispose();
        PrivateKey?.Dispose();
        Passphrase?.Dispose();
        Enable?.Dispose();
    }
}
