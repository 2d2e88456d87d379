using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Access.Keys;

/// <summary>An API key: 256 random bits. Only its hash is stored, which needs no salt at that length.</summary>
internal static class KeySecret
{
    public const string Start = "nak_";
    private const int Shown = 10;

    public static string New() => Start + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>Enough to tell keys apart, too little to guess one.</summary>
    public static string Prefix(string key) => key[..Shown];
}
