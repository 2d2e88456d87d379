using System.Globalization;

namespace NetAutomation.Tests.Execution;

/// <summary>What FRR shows as its configuration, read without the product's engine, to judge it.</summary>
internal sealed class RouterText
{
    private readonly List<(string Section, string Line)> _lines = [];

    public RouterText(string text)
    {
        var above = new List<(int Depth, string Line)>();
        foreach (var line in text.Split('\n').Select(line => line.TrimEnd('\r', ' ')))
        {
            var bare = line.TrimStart(' ');
            if (bare.Length == 0 || bare[0] == '!' || bare is "end" || bare.StartsWith("exit", StringComparison.Ordinal)
                || bare.StartsWith("Building ", StringComparison.Ordinal) || bare.StartsWith("Current ", StringComparison.Ordinal))
            {
                continue;
            }

            var depth = line.Length - bare.Length;
            above.RemoveAll(each => each.Depth >= depth);
            _lines.Add((string.Join(" / ", above.Select(each => each.Line)), bare));
            above.Add((depth, bare));
        }
    }

    public IEnumerable<string> All => _lines.Select(each => $"{each.Section} / {each.Line}");

    /// <summary>The lines of one section, without those of sections below.</summary>
    public IEnumerable<string> In(string section) => _lines.Where(each => each.Section == section).Select(each => each.Line);

    /// <summary>The lines that are about a route or neighbour of this intent, each with its section.</summary>
    public IEnumerable<string> About(Intent intent) =>
        _lines.Where(each => intent.Concerns(each.Section, each.Line)).Select(each => $"{each.Section} / {each.Line}");
}

/// <summary>What a block was asked for, and whether a router's text shows it.</summary>
internal abstract record Intent(bool Present)
{
    public abstract string Block { get; }

    public abstract object Input { get; }

    /// <summary>The line belongs to an object that the intent names.</summary>
    public abstract bool Concerns(string section, string line);

    /// <summary>A line like one of an object that the intent names, in whatever section.</summary>
    public abstract bool Resembles(string line);

    /// <summary>Null where the text shows the intent; otherwise why it does not.</summary>
    public abstract string? Missing(RouterText text);
}

internal sealed record RouteIntent(bool Present, IReadOnlyList<RouteIntent.Route> Routes) : Intent(Present)
{
    public override string Block => "static-routes";

    public override object Input => new { state = Present ? "present" : "absent", routes = Routes.Select(route => route.Json()) };

    public override bool Concerns(string section, string line) =>
        Routes.Any(route => route.Section == section && route.Owns(line));

    public override bool Resembles(string line) => Routes.Any(route => route.Owns(line));

    public override string? Missing(RouterText text)
    {
        foreach (var route in Routes)
        {
            string[] wanted = Present ? [route.Line] : [];
            var shown = text.In(route.Section).Where(route.Owns).ToList();
            if (!shown.SequenceEqual(wanted))
            {
                return $"{route.Section} / {route.Line}: {string.Join(", ", shown)}";
            }
        }

        return null;
    }

    internal sealed record Route(string Prefix, string? NextHop, string? Interface, int? Tag, int? Distance, string? Vrf)
    {
        public string Section => Vrf is null ? "" : $"vrf {Vrf}";

        /// <summary>The route as FRR shows it, up to its attributes.</summary>
        public string Key => string.Join(' ', new[] { Prefix.Contains(':') ? "ipv6 route" : "ip route", Prefix, NextHop, IsKey ? Interface : null }
            .OfType<string>());

        public string Line => string.Join(' ', new[]
        {
            Key, IsKey ? null : Interface, Tag is { } tag ? string.Create(CultureInfo.InvariantCulture, $"tag {tag}") : null,
            Distance is { } distance and not 1 ? distance.ToString(CultureInfo.InvariantCulture) : null,
        }.OfType<string>());

        // A link-local address is another next hop on each interface.
        private bool IsKey => NextHop is null || NextHop.StartsWith("fe80:", StringComparison.Ordinal);

        public bool Owns(string line) => line == Key || line.StartsWith(Key + " ", StringComparison.Ordinal);

        public Dictionary<string, object> Json() => new (string Name, object? Value)[]
        {
            ("prefix", Prefix), ("nextHop", NextHop), ("interface", Interface), ("tag", Tag), ("distance", Distance), ("vrf", Vrf),
        }.Where(member => member.Value is not null).ToDictionary(member => member.Name, member => member.Value!);
    }
}

internal sealed record NeighborIntent(bool Present, int Asn, string? Vrf, IReadOnlyList<NeighborIntent.Neighbor> Neighbors) : Intent(Present)
{
    public override string Block => "bgp-neighbors";

    public override object Input => new (string Name, object? Value)[]
    {
        ("state", Present ? "present" : "absent"), ("asn", Asn), ("vrf", Vrf), ("neighbors", Neighbors.Select(each => each.Json(Present))),
    }.Where(member => member.Value is not null).ToDictionary(member => member.Name, member => member.Value!);

    private string Section => $"router bgp {Asn}{(Vrf is null ? "" : " vrf " + Vrf)}";

    public override bool Concerns(string section, string line) =>
        (section == Section || section.StartsWith(Section + " / ", StringComparison.Ordinal)) && Resembles(line);

    public override bool Resembles(string line) => Neighbors.Any(neighbor => neighbor.Owns(line));

    public override string? Missing(RouterText text)
    {
        var shown = text.In(Section).ToHashSet(StringComparer.Ordinal);
        foreach (var neighbor in Neighbors)
        {
            var lines = text.About(this with { Neighbors = [neighbor] }).ToList();
            string[] wanted = Present ? [.. neighbor.Lines(shown)] : [];
            var all = wanted.All(shown.Contains)
                && (!Present || !neighbor.Address.Contains(':')
                    || text.In($"{Section} / address-family ipv6 unicast").Contains($"neighbor {neighbor.Address} activate"));
            if (Present ? !all : lines.Count > 0)
            {
                return $"{Section} / {neighbor}: {string.Join(", ", lines)}";
            }
        }

        return null;
    }

    internal sealed record Neighbor(string Address, int RemoteAs, string? Description)
    {
        public bool Owns(string line) =>
            line.StartsWith($"neighbor {Address} ", StringComparison.Ordinal) || line.StartsWith($"no neighbor {Address} ", StringComparison.Ordinal);

        /// <summary>The lines that show the neighbour, given those of its peer group.</summary>
        public IEnumerable<string> Lines(IReadOnlySet<string> shown)
        {
            var group = shown.FirstOrDefault(line => line.StartsWith($"neighbor {Address} peer-group ", StringComparison.Ordinal))?.Split(' ')[3];
            yield return $"neighbor {(group is not null && shown.Contains($"neighbor {group} remote-as {RemoteAs}") ? group : Address)} remote-as {RemoteAs}";
            if (Description is not null)
            {
                yield return $"neighbor {Address} description {Description}";
            }
        }

        public Dictionary<string, object> Json(bool present) => new (string Name, object? Value)[]
        {
            ("address", Address), ("remoteAs", present ? RemoteAs : null), ("description", present ? Description : null),
        }.Where(member => member.Value is not null).ToDictionary(member => member.Name, member => member.Value!);
    }
}
