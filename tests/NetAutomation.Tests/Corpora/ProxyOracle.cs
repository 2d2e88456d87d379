using System.Text.RegularExpressions;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// The endpoint that a PROXY v2 header names, read once more and differently: from the protocol's text, byte by byte, without the service's
/// code. It answers nothing but the name, and null wherever the text leaves a doubt.
/// </summary>
internal static partial class ProxyOracle
{
    private const int Longest = 4096;

    public static string? Endpoint(byte[] bytes)
    {
        if (bytes.Length < 16 || Convert.ToHexString(bytes, 0, 12) != "0D0A0D0A000D0A515549540A" || bytes[12] != 0x21)
        {
            return null;
        }

        var addresses = bytes[13] switch { 0x00 => 0, 0x11 => 12, 0x21 => 36, 0x31 => 216, _ => -1 };
        var length = (bytes[14] * 256) + bytes[15];
        if (addresses < 0 || length < addresses || length > Longest || bytes.Length < 16 + length)
        {
            return null;
        }

        var header = bytes[..(16 + length)];
        var (names, sums) = (new List<string>(), new List<int>());
        var at = 16 + addresses;
        while (at < header.Length)
        {
            if (at + 3 > header.Length || at + 3 + (header[at + 1] * 256) + header[at + 2] > header.Length)
            {
                return null;
            }

            var value = header.AsSpan(at + 3, (header[at + 1] * 256) + header[at + 2]);
            if (header[at] == 0x03)
            {
                if (value.Length != 4)
                {
                    return null;
                }

                sums.Add(at + 3);
            }
            else if (header[at] == 0xEA && value.Length > 0 && value[0] == 0x01)
            {
                names.Add(System.Text.Encoding.Latin1.GetString(value[1..]));
            }

            at += 3 + value.Length;
        }

        var sound = sums.Count == 0 || (sums.Count == 1 && ChecksumHolds(header, sums[0]));
        return names is [var only] && Name().IsMatch(only) && sound ? only : null;
    }

    private static bool ChecksumHolds(byte[] header, int at)
    {
        var crc = uint.MaxValue;
        for (var i = 0; i < header.Length; i++)
        {
            crc ^= i >= at && i < at + 4 ? 0u : header[i];
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 1 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
            }
        }

        return ~crc == (((uint)header[at] << 24) | ((uint)header[at + 1] << 16) | ((uint)header[at + 2] << 8) | header[at + 3]);
    }

    [GeneratedRegex(@"\Avpce-[0-9a-f]{8,17}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Name();
}
