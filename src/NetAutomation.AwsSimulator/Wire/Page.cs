using System.Globalization;
using System.Text;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>Cuts an ordered list into pages; the token, opaque to callers, holds the position of the last element sent.</summary>
internal static class Page
{
    public static (List<T> Items, string? Next) Cut<T>(
        IEnumerable<T> ordered, Func<T, long> position, int size, string? token, string tokenFault)
    {
        var after = token is null ? -1 : Decode(token, tokenFault);
        var rest = ordered.Where(item => position(item) > after).Take(size + 1).ToList();
        if (rest.Count <= size)
        {
            return (rest, null);
        }
        rest.RemoveAt(size);
        return (
            rest, Convert.ToBase64String(Encoding.ASCII.GetBytes("after:" + position(rest[^1]).ToString(CultureInfo.InvariantCulture))));
    }

    private static long Decode(string token, string tokenFault)
    {
        Span<byte> bytes = stackalloc byte[64];
        if (Convert.TryFromBase64String(token, bytes, out var length) && Encoding.ASCII.GetString(bytes[..length]) is var text
            && text.StartsWith("after:", StringComparison.Ordinal)
                && long.TryParse(text[6..], NumberStyles.None, CultureInfo.InvariantCulture, out var after))
        {
            return after;
        }
        throw new AwsException(tokenFault, "The pagination token is invalid.");
    }
}
