namespace NetAutomation.Tests.Execution;

/// <summary>Random configurations of routers around an intent, and random intents.</summary>
internal sealed class RandomRouter(Random random)
{
    private static readonly string[] _prefixes = ["10.31.0.0/16", "10.32.0.0/16", "0.0.0.0/0", "10.33.1.0/24", "10.34.0.1/32"];
    private static readonly string[] _prefixes6 = ["2001:db8:1::/48", "::/0", "2001:db8:2::/64"];
    private static readonly string[] _hops = ["10.66.0.1", "10.66.0.7", "192.0.2.1"];
    private static readonly string[] _hops6 = ["2001:db8:f::1", "2001:db8:f::2"];
    private static readonly string[] _neighbors = ["10.66.9.1", "10.66.9.2", "10.66.9.3", "2001:db8:9::1", "2001:db8:9::2"];
    private static readonly string[] _texts = ["to r2", "Zürich \"core\" 1", "100% x\\y", "naïve — ü", "circuit id not found"];
    private static readonly string[] _numbers = ["65009", "65010", "internal", "external"];

    public Intent Intent() => Chance(60) ? Routes() : Neighbors();

    /// <summary>Lines that make up a router's configuration: other objects, and more often than not some that the intent names.</summary>
    public IReadOnlyList<string> Configuration(Intent intent)
    {
        var lines = new List<string> { "interface eth0", $"description {Any(_texts)}", "exit" };
        for (var count = random.Next(8); count > 0; count--)
        {
            Add(lines, Route());
        }

        if (intent is RouteIntent wanted && Chance(80))
        {
            foreach (var route in wanted.Routes.Where(_ => Chance(70)))
            {
                Add(lines, Other(route));
            }
        }

        var named = (intent as NeighborIntent)?.Neighbors.Select(neighbor => neighbor.Address).ToHashSet(StringComparer.Ordinal) ?? [];
        var asn = intent is NeighborIntent bgp && Chance(90) ? bgp.Asn : 65002;
        foreach (var instance in new[] { "", " vrf RED" }.Where(_ => Chance(70)))
        {
            AddBgp(lines, $"router bgp {asn}{instance}", named);
        }

        return lines;
    }

    private RouteIntent Routes() => new(
        Chance(65),
        [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Route()).DistinctBy(route => (route.Section, route.Key))]);

    private NeighborIntent Neighbors() => new(
        Chance(65), 65001, Chance(30) ? "RED" : null,
        [.. Some(_neighbors, 40).DefaultIfEmpty(_neighbors[0]).Select(
            address => new NeighborIntent.Neighbor(address, Chance(50) ? 65009 : 65010, Chance(50) ? Any("to r2", "x y z") : null))]);

    private RouteIntent.Route Route()
    {
        var six = Chance(35);
        var (hop, port) = six && Chance(30) ? ($"fe80::{random.Next(1, 3)}", Any("eth0", "lo"))
            : Chance(10) ? (null, Any("eth0", "lo"))
            : (Any(six ? _hops6 : _hops), Chance(25) ? Any("eth0", "lo") : null);
        return new(
            Any(six ? _prefixes6 : _prefixes), hop, port, Chance(35) ? Chance(50) ? 5 : 7 : null, Chance(35) ? Chance(50) ? 20 : 200 : null,
            Chance(35) ? Any("RED", "BLUE") : null);
    }

    /// <summary>The same route: as it is, with other attributes, or in another section.</summary>
    private RouteIntent.Route Other(RouteIntent.Route route) => random.Next(4) switch
    {
        0 => route,
        1 => route with { Vrf = route.Vrf is null ? "RED" : null },
        2 => route with { Tag = route.Tag is null ? 7 : null },
        _ => route with { Distance = route.Distance is null ? 20 : null, Interface = route.Interface ?? (Chance(30) ? "eth0" : null) },
    };

    private void Add(List<string> lines, RouteIntent.Route route)
    {
        lines.AddRange(
            route.Lines(route.Line + (Chance(10) ? Any(" onlink", " onlink", " label 100", " nexthop-vrf RED", " table 100") : "")));
    }

    private void AddBgp(List<string> lines, string header, HashSet<string> named)
    {
        var present = _neighbors.Where(address => Chance(named.Contains(address) ? 70 : 40)).ToList();
        lines.Add(header);
        if (Chance(40))
        {
            lines.Add("neighbor PG peer-group");
            lines.AddRange(Chance(60) ? [$"neighbor PG remote-as {Any(_numbers)}"] : []);
        }

        lines.AddRange(Chance(20) ? ["no bgp default ipv4-unicast"] : []);
        foreach (var address in present)
        {
            lines.Add(Chance(25) ? $"neighbor {address} peer-group PG" : $"neighbor {address} remote-as {Any(_numbers)}");
            lines.AddRange(Chance(40) ? [$"neighbor {address} description {Any(_texts)}"] : []);
            lines.AddRange(Chance(30) ? [$"neighbor {address} {Any("shutdown", "passive", "timers 5 15", "ebgp-multihop 3")}"] : []);
        }

        foreach (var family in new[] { "ipv4", "ipv6" })
        {
            lines.Add($"address-family {family} unicast");
            lines.AddRange(Some(present, 40).Select(address => (Chance(50) ? "" : "no ") + $"neighbor {address} activate"));
            lines.AddRange(
                Some(present, 20).Select(address => $"neighbor {address} {Any("next-hop-self", "soft-reconfiguration inbound")}"));
            lines.Add("exit-address-family");
        }

        lines.Add("exit");
    }

    private bool Chance(int percent) => random.Next(100) < percent;

    private string Any(params string[] texts) => texts[random.Next(texts.Length)];

    private List<string> Some(IEnumerable<string> texts, int percent) => [.. texts.Where(_ => Chance(percent))];
}
