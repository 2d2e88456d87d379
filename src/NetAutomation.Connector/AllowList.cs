using System.Globalization;
using System.Net;

namespace NetAutomation.Connector;

/// <summary>
/// The addresses the customer lets this connector reach: lines of "CIDR port[,port]", '#' comments, everything else denied.
/// Forbidden addresses are reached only through an entry for exactly that one address.
/// </summary>
internal sealed class AllowList
{
    private readonly List<(IPNetwork Network, int[] Ports)> _entries = [];

    public int Count => _entries.Count;

    public IEnumerable<IPNetwork> Networks => _entries.Select(e => e.Network);

    /// <summary>The entries for exactly one address.</summary>
    public IEnumerable<IPEndPoint> Single =>
        _entries.Where(e => IsOne(e.Network)).SelectMany(e => e.Ports.Select(port => new IPEndPoint(e.Network.BaseAddress, port)))
            .Distinct();

    public static AllowList Load(string path) => Parse(File.ReadAllText(path));

    /// <summary>Reports every faulty line at once in a FormatException.</summary>
    public static AllowList Parse(string text)
    {
        var list = new AllowList();
        var faults = new List<string>();
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.Split('#')[0].Trim();
            if (line.Length == 0)
            {
                continue;
            }

            var words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length != 2 || ReadNetwork(words[0]) is not { } network || ReadPorts(words[1]) is not { } ports)
            {
                faults.Add($"line {number}: expected 'CIDR port[,port]'");
            }
            else
            {
                list._entries.Add((network, ports));
            }
        }

        return faults.Count == 0 ? list : throw new FormatException($"Allow-list: {string.Join("; ", faults)}.");
    }

    public bool Allows(IPAddress address, int port, IReadOnlyCollection<IPAddress> own)
    {
        var target = Normalise(address);
        if (target.Equals(IPAddress.Any) || target.Equals(IPAddress.IPv6Any)
            || target is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6, ScopeId: not 0 })
        {
            return false;
        }

        var exactOnly = ForbiddenAddresses.Contains(target) || own.Any(a => Normalise(a).Equals(target));
        return _entries.Any(e => e.Network.Contains(target)
            && Array.IndexOf(e.Ports, port) >= 0
            && (!exactOnly || IsOne(e.Network)));
    }

    /// <summary>An IPv4-mapped IPv6 address is the IPv4 address it carries.</summary>
    public static IPAddress Normalise(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static bool IsOne(IPNetwork network) =>
        network.PrefixLength == (network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128);

    private static IPNetwork? ReadNetwork(string word)
    {
        var text = word.Contains('/', StringComparison.Ordinal)
            ? word : IPAddress.TryParse(word, out var one)
                ? $"{word}/{(one.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128)}" : word;
        // IPNetwork refuses host bits below the mask; the round trip refuses octal, hexadecimal and shortened forms.
        return IPNetwork.TryParse(text, out var network)
            && !network.BaseAddress.IsIPv4MappedToIPv6
            && (network.BaseAddress.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || network.ToString() == text)
                ? network : null;
    }

    private static int[]? ReadPorts(string word)
    {
        var ports = new List<int>();
        foreach (var part in word.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
            {
                return null;
            }

            ports.Add(port);
        }

        return [.. ports];
    }
}
