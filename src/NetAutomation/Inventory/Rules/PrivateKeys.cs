using System.Buffers;
using System.Buffers.Text;

namespace NetAutomation.Inventory.Rules;

/// <summary>The outside of a private key. Whether its passphrase opens it, a test of the device finds out.</summary>
internal static class PrivateKeys
{
    private const int Longest = 16 * 1024;

    // Characters of OpenSSH's container that hold its mark and the name of its cipher.
    private const int Start = 44;
    private static readonly byte[] _mark = [.. "openssh-key-v1\0"u8];
    private static readonly byte[] _noCipher = [0, 0, 0, 4, .. "none"u8];

    public static bool Is(ReadOnlySpan<byte> text)
    {
        var first = FirstLine(text);
        return text.Length <= Longest && first.StartsWith("-----BEGIN "u8) && first.EndsWith("PRIVATE KEY-----"u8);
    }

    /// <summary>PKCS #8, the older form of PEM (RFC 1421) and OpenSSH each say in their own way that they are encrypted.</summary>
    public static bool IsEncrypted(ReadOnlySpan<byte> text)
    {
        var first = FirstLine(text);
        if (!first.SequenceEqual("-----BEGIN OPENSSH PRIVATE KEY-----"u8))
        {
            return first.IndexOf(" ENCRYPTED "u8) >= 0 || text.IndexOf("Proc-Type: 4,ENCRYPTED"u8) >= 0;
        }

        var body = text[(text.IndexOf((byte)'\n') + 1)..];
        Span<byte> start = stackalloc byte[Start / 4 * 3];
        return body.Length >= Start && Base64.DecodeFromUtf8(body[..Start], start, out _, out _) == OperationStatus.Done
            && start.StartsWith(_mark) && !start[_mark.Length..].StartsWith(_noCipher);
    }

    private static ReadOnlySpan<byte> FirstLine(ReadOnlySpan<byte> text) =>
        text.IndexOf((byte)'\n') is var end and > 0 ? text[..end].TrimEnd((byte)'\r') : default;
}
