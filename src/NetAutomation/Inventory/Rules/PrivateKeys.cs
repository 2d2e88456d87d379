using System.Buffers;
using System.Buffers.Text;

namespace NetAutomation.Inventory.Rules;

/// <summary>The outside of a private key. Whether its passphrase opens it, a test of the device finds out.</summary>
internal static class PrivateKeys
{
    private const int Longest = 16 * 1024;

    // Programs write 64, 70 or 76 characters a line. Only a whole line of a key can be found in what comes back from a device.
    private const int ShortestLine = 48;

    // Characters of OpenSSH's container that hold its mark and the name of its cipher.
    private const int Start = 44;
    private static readonly byte[] _begin = [.. "-----BEGIN "u8];
    private static readonly byte[] _mark = [.. "openssh-key-v1\0"u8];
    private static readonly byte[] _noCipher = [0, 0, 0, 4, .. "none"u8];

    private static readonly SearchValues<byte> _base64 =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="u8);

    /// <summary>One key from its first line to its last, with lines of base64 between them.</summary>
    public static bool Is(ReadOnlySpan<byte> text)
    {
        var first = FirstLine(text);
        var rest = text.TrimEnd(" \r\n"u8);
        if (text.Length > Longest || !first.StartsWith(_begin) || !first.EndsWith("PRIVATE KEY-----"u8)
            || rest.LastIndexOf((byte)'\n') is not (var end and >= 0) || !rest[(end + 1)..].StartsWith("-----END "u8)
            || !rest[(end + 1 + "-----END ".Length)..].SequenceEqual(first[_begin.Length..]))
        {
            return false;
        }

        return IsBody(rest[rest.IndexOf((byte)'\n')..end]);
    }

    // Names and values of the older form come before, with an empty line behind them. Only the last line may be short.
    private static bool IsBody(ReadOnlySpan<byte> body)
    {
        var (begun, ended) = (false, false);
        foreach (var range in body.Split((byte)'\n'))
        {
            var line = body[range].Trim(" \t\r"u8);
            if (line.IsEmpty || (!begun && line.Contains((byte)':')))
            {
                continue;
            }

            if (ended || line.ContainsAnyExcept(_base64))
            {
                return false;
            }

            (begun, ended) = (true, line.Length < ShortestLine);
        }

        return begun;
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
