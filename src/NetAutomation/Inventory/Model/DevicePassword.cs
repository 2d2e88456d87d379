using NetAutomation.Inventory.Seal;

namespace NetAutomation.Inventory.Model;

/// <summary>A sealed password of one device alone. Id: another one for each time that it was given.</summary>
internal sealed record DevicePassword(
    TenantId TenantId, DeviceId DeviceId, bool Pending, Guid Id, byte[] Ct, byte[] Nonce, byte[] WrappedDek, int TenantKeyVersion,
    string Alg)
{
    public static DevicePassword Seal(TenantId tenant, DeviceId device, Secret password, TenantKey key)
    {
        var id = Guid.CreateVersion7();
        var envelope = Envelope.Seal(key, Context(tenant, device, id), password.Utf8());
        return new DevicePassword(
            tenant, device, Pending: true, id, envelope.Ct, envelope.Nonce, envelope.WrappedDek, envelope.TenantKeyVersion, Envelope.Alg);
    }

    public Secret Open(TenantKey key) => new(
        Envelope.Open(key, Context(TenantId, DeviceId, Id), new SealedSecret(Ct, Nonce, WrappedDek, TenantKeyVersion)));

    private static string Context(TenantId tenant, DeviceId device, Guid id) => $"{tenant}|{device}|{id}|{Envelope.Format}";
}
