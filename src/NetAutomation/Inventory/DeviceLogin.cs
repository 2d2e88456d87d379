namespace NetAutomation.Inventory;

/// <summary>How to reach and log in to a device. Its secrets are zeroed when it is disposed.</summary>
/// <param name="HostKeySha256">The pin; null where the device was never seen.</param>
/// <param name="HostKey">
/// The public key behind the pin, as an OpenSSH line without host (<c>ssh-ed25519 AAAA…</c>), where it was seen.
/// </param>
/// <param name="Enables">The login enters the privileged mode.</param>
/// <param name="EnableLevel">The privilege level that it asks for; null for the highest.</param>
internal sealed record DeviceLogin(
    DeviceId DeviceId, string Name, SiteId SiteId, string Address, int Port, string Platform, ConnectionOptions Options, string Username,
    Secret? Password, Secret? PrivateKey, Secret? Passphrase, Secret? Enable, IReadOnlyList<LoginAnswer> Answers, bool Enables,
    int? EnableLevel, string? HostKeySha256, string? HostKey) : IDisposable
{
    public void Dispose()
    {
        Password?.Dispose();
        PrivateKey?.Dispose();
        Passphrase?.Dispose();
        Enable?.Dispose();
        foreach (var each in Answers)
        {
            each.Answer.Dispose();
        }
    }
}
