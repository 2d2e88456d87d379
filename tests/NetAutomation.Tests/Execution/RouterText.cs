using System.Globalization;

namespace NetAutomation.Tests.Execution;

/// <param name="Section">The headers of its sections, from the outside, with " / " between.</param>
internal readonly record struct RouterLine(string Section, string Text);

/// <summary>What FRR shows as its configuration, read without the product's engine, to judge it.</summary>
internal sealed class RouterText
{
    private static readonly string[] _noLines = ["!", "end", "exit", "Building ", "Current "];

    public RouterText(string text)
    {
        var above = new List<(int Depth, string Text)>();
        foreach (var line in text.Split('\n').Select(line => line.TrimEnd()))
        {
            var bare = line.TrimStart(' ');
            var depth = line.Length - bare.Length;
            if (bare.Length > 0 && !_noLines.Any(start => bare.StartsWith(start, StringComparison.Ordinal)))
            {
                above.RemoveAll(each => each.Depth >= depth);
                Lines.Add(new(string.Join(" / ", above.Select(each => each.Text)), bare));
                above.Add((depth, bare));
            }
        }
    }

    public List<RouterLine> Lines { get; } = [];

    /// <summary>The lines of one section, without those of sections below.</summary>
    public IEnumerable<string> In(string section) => Lines.Where(line => line.Section == section).Select(line => line.Text);
}

/// <summary>What a block was asked for, and whether a router's text shows it.</summary>
internal abstract record Intent(bool Present)
{
    public abstract string Block { get; }

    public abstract object Input { get; }

    /// <summary>A configuration in which everything is as wanted, and nothing else is.</summary>
    public IReadOnlyList<string> Lines => Present ? [.. Shown] : [];

    /// <summary>A configuration with a part of it, beside which it is refused. Nothing keeps routes from being absent.</summary>
    public abstract IEnumerable<string> Opposed { get; }

    /// <summary>What a router is given so that all of it is present.</summary>
    protected abstract IEnumerable<string> Shown { get; }

    /// <summary>The line belongs to an object that the intent names.</summary>
    public abstract bool Concerns(RouterLine line);

    /// <summary>A line like one of an object that the intent names, in whatever section.</summary>
    public abstract bool Resembles(string line);

    /// <summary>Null where the text shows the intent; otherwise why it does not.</summary>
    public abstract string? Missing(RouterText text);
}

internal sealed record RouteIntent(bool Present, IReadOnlyList<RouteIntent.Route> Routes) : Intent(Present)
{
    public override string Block => "static-routes";

    public override object Input => new { state = Present ? "present" : "absent", routes = Routes.Select(route => route.Json()) };

    // FRR keeps one tag for all next hops of a prefix and distance.
    public override IEnumerable<string> Opposed => Routes
        .SelectMany(route => new[]
        {
            route,
            route with { NextHop = route.Prefix.Contains(':') ? "2001:db8:f::77" : "192.0.2.77", Interface = null, Tag = 99 },
        })
        .SelectMany(route => route.Lines(route.Line));

    protected override IEnumerable<string> Shown => Routes.SelectMany(route => route.Lines(route.Line));

    public override bool Concerns(RouterLine line) => Routes.Any(route => route.Section == line.Section && route.Owns(line.Text));

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
        public string Key => string.Join(
            ' ', new[] { Prefix.Contains(':') ? "ipv6 route" : "ip route", Prefix, NextHop, IsKey ? Interface : null }.OfType<string>());

        public string Line => string.Join(' ', new[]
        {
            Key, IsKey ? null : Interface, Tag is { } tag ? string.Create(CultureInfo.InvariantCulture, $"tag {tag}") : null,
            Distance is { } distance and not 1 ? distance.ToString(CultureInfo.InvariantCulture) : null,
        }.OfType<string>());

        // A link-local address is another next hop on each interface.
        private bool IsKey => NextHop is null || NextHop.StartsWith("fe80:", StringComparison.Ordinal);

        /// <summary>What gives a router a line in this route's section.</summary>
        public IEnumerable<string> Lines(string line) => Vrf is null ? [line] : [Section, line, "exit"];

        public bool Owns(string line) => line == Key || line.StartsWith(Key + " ", StringComparison.Ordinal);

        public Dictionary<string, object> Json() => new (string Name, object? Value)[]
        {
            ("prefix", Prefix), ("nextHop", NextHop), ("interface", Interface), ("tag", Tag), ("distance", Distance), ("vrf", Vrf),
        }.Where(member => member.Value is not null).ToDictionary(member => member.Name, member => member.Value!);
    }
}

internal sealed record NeighborIntent(bool Present, int Asn, string? Vrf, IReadOnlyList<NeighborIntent.Neighbor> Neighbors)
    : Intent(Present)
{
    public override string Block => "bgp-neighbors";

    public override object Input => new (string Name, object? Value)[]
    {
        ("state", Present ? "present" : "absent"), ("asn", Asn), ("vrf", Vrf),
        ("neighbors", Neighbors.Select(each => each.Json(Present))),
    }.Where(member => member.Value is not null).ToDictionary(member => member.Name, member => member.Value!);

    public override IEnumerable<string> Opposed => (this with { Asn = Asn + 1 }).Shown;

    protected override IEnumerable<string> Shown =>
    [
        Section, .. Neighbors.SelectMany(neighbor => neighbor.Lines(new HashSet<string>())), "address-family ipv6 unicast",
        .. Neighbors.Where(neighbor => neighbor.Address.Contains(':')).Select(neighbor => $"neighbor {neighbor.Address} activate"),
        "exit-address-family", "exit",
    ];

    private string Section => $"router bgp {Asn}{(Vrf is null ? "" : " vrf " + Vrf)}";

    public override bool Concerns(RouterLine line) =>
        (line.Section == Section || line.Section.StartsWith(Section + " / ", StringComparison.Ordinal)) && Resembles(line.Text);

    public override bool Resembles(string line) => Neighbors.Any(neighbor => neighbor.Owns(line));

    public override string? Missing(RouterText text)
    {
        var shown = text.In(Section).ToHashSet(StringComparer.Ordinal);
        foreach (var neighbor in Neighbors)
        {
            var lines = text.Lines.Where((this with { Neighbors = [neighbor] }).Concerns).ToList();
            var there = neighbor.Lines(shown).All(shown.Contains)
                && (!neighbor.Address.Contains(':')
                    || text.In($"{Section} / address-family ipv6 unicast").Contains($"neighbor {neighbor.Address} activate"));
            if (Present ? !there : lines.Count > 0)
            {
                return $"{Section} / {neighbor}: {string.Join(", ", lines)}";
            }
        }

        return null;
    }

    internal sealed record Neighbor(string Address, int RemoteAs, string? Description)
    {
        public bool Owns(string line) =>
            line.StartsWith($"neighbor {Address} ", StringComparison.Ordinal)
            || line.StartsWith($"no neighbor {Address} ", StringComparison.Ordinal);

        /// <summary>The lines that show the neighbour, given those of its peer group.</summary>
        public IEnumerable<string> Lines(IReadOnlySet<string> shown)
        {
            var member = $"neighbor {Address} peer-group ";
            var group = shown.FirstOrDefault(line => line.StartsWith(member, StringComparison.Ordinal))?[member.Length..];
            var given = $"neighbor {group} remote-as {RemoteAs}";
            yield return shown.Contains(given) ? given : $"neighbor {Address} remote-as {RemoteAs}";
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
