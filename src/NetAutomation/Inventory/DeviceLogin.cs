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
    /// <summary>The login's password; of the device alone, where a run has given it one.</summary>
    public Secret? Password { get; private set; } = Password;

    /// <summary>To be tried where the device refuses the password.</summary>
    public PendingPassword? Pending { get; set; }

    /// <summary>Takes a password of the device alone.</summary>
    public void Take(Guid id, Secret text, bool pending)
    {
        if (pending)
        {
            Pending = new PendingPassword(id, text);
            return;
        }

        Password?.Dispose();
        Password = text;
    }

    /// <summary>The device has let the pending password in: it is the login's from now on.</summary>
    public void Adopt()
    {
        Password?.Dispose();
        (Password, Pending) = (Pending!.Text, null);
    }

    public void Dispose()
    {
        Password?.Dispose();
        Pending?.Text.Dispose();
        PrivateKey?.Dispose();
        Passphrase?.Dispose();
        Enable?.Dispose();
        foreach (var each in Answers)
        {
            each.Answer.Dispose();
        }
    }
}
