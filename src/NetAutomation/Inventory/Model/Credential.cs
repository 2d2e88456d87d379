using NetAutomation.Inventory.Seal;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.Model;

/// <summary>The secret stands here sealed only; its text lives in <see cref="LoginSecrets"/> for as long as it is used.</summary>
internal sealed record Credential(TenantId TenantId, CredentialId Id, LoginKind Kind, DateTimeOffset CreatedAt)
    : IResource<CredentialKind>
{
    public required string Name { get; set; }

    public required string Username { get; set; }

    /// <summary>The privilege level that a login of the kind enable asks for; null for the highest.</summary>
    public int? EnableLevel { get; set; }

    public string Fingerprint { get; private set; } = "";

    public int Version { get; set; } = 1;

    public int SecretVersion { get; private set; }

    public byte[] Ct { get; private set; } = [];

    public byte[] Nonce { get; private set; } = [];

    public byte[] WrappedDek { get; private set; } = [];

    public int TenantKeyVersion { get; private set; }

    public string Alg { get; private set; } = "";

    public DateTimeOffset RotatedAt { get; private set; }

    public void Replace(LoginSecrets secrets, TenantKey key, DateTimeOffset now)
    {
        var next = SecretVersion + 1;
        var (envelope, fingerprint) = secrets.Seal(key, Context(next));
        (Ct, Nonce, WrappedDek, TenantKeyVersion, Alg) =
            (envelope.Ct, envelope.Nonce, envelope.WrappedDek, envelope.TenantKeyVersion, Envelope.Alg);
        (Fingerprint, SecretVersion, RotatedAt) = (fingerprint, next, now);
    }

    /// <summary>The plain bytes of <see cref="LoginSecrets"/>; the caller zeroes them.</summary>
    public byte[] Open(TenantKey key) =>
        Envelope.Open(key, Context(SecretVersion), new SealedSecret(Ct, Nonce, WrappedDek, TenantKeyVersion));

    private string Context(int version) => $"{TenantId}|{Id}|{version}|{Envelope.Format}";
}
