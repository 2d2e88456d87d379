using System.Globalization;
using System.Text.RegularExpressions;

namespace NetAutomation.Bench;

/// <summary>What both sides do on each device: four things of each side's own, added in one round and removed in the next.</summary>
/// <param name="Platform">Of the devices.</param>
/// <param name="NetworkOs">The stock connection's word for it.</param>
/// <param name="Block">What a run names.</param>
/// <param name="Playbook">What the stock command plays, in tests/bench; it takes the block's input.</param>
/// <param name="Input">The block's input, by the side's number, and whether it adds.</param>
/// <param name="Lines">The lines of bare sessions, by the same; null where there are none.</param>
/// <param name="Pattern">
/// How the device shows what a side has added, by the side's number; the first group is that which the sides differ in.
/// </param>
internal sealed record RunTask(
    string Platform, string NetworkOs, string Block, string Playbook, Func<int, bool, object> Input, Func<int, bool, string[]>? Lines,
    Func<int, string> Pattern)
{
    public static readonly RunTask Routers = new(
        "frr", "frr.frr.frr", "static-routes", "static-routes.yml", Routes,
        (side, add) => [.. Prefixes(side).Select(prefix => $"{(add ? "" : "no ")}ip route {prefix} 10.66.0.1")],
        side => Text($@"^ip route (10\.{100 + side})\..*"));

    /// <summary>cisco.ios.ios_static_routes.</summary>
    public static readonly RunTask Ios = new(
        "ios", "cisco.ios.ios", "static-routes", "ios-static-routes.yml", Routes, Lines: null,
        side => Text($@"^ip route (10\.{100 + side})\..*"));

    /// <summary>arista.eos.eos_vlans.</summary>
    public static readonly RunTask Eos = new(
        "eos", "arista.eos.eos", "vlans", "eos-vlans.yml", Vlans, Lines: null, side => Text($@"^vlan ({1 + side})\d\d\n.*"));

    /// <summary>How a device shows what a side has added, without that in which the sides differ.</summary>
    public IReadOnlyList<string> Shown(string text, int side) =>
        [.. Regex.Matches(text, Pattern(side), RegexOptions.Multiline, TimeSpan.FromSeconds(1))
            .Select(found => found.Value.Remove(found.Groups[1].Index - found.Index, found.Groups[1].Length))];

    private static string[] Prefixes(int side) => [.. Enumerable.Range(0, 4).Select(i => Text($"10.{100 + side}.{i}.0/24"))];

    private static object Routes(int side, bool add) =>
        new { state = State(add), routes = Prefixes(side).Select(prefix => new { prefix, nextHop = "10.66.0.1" }) };

    private static object Vlans(int side, bool add) => new
    {
        state = State(add),
        vlans = Enumerable.Range(0, 4).Select(i => new { vlan = (100 * (1 + side)) + i, name = Text($"bench{i}") }),
    };

    private static string State(bool add) => add ? "present" : "absent";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
