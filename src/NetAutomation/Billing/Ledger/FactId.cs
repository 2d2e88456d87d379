using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Billing.Ledger;

/// <summary>Ids of metered facts: the same fact always has the same id (RFC 9562 UUIDv8), no matter who reports it and how often.</summary>
internal static class FactId
{
    public static Guid Of(string fact)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(fact));
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }
}
