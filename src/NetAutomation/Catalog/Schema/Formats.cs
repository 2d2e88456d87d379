using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace NetAutomation.Catalog.Schema;

/// <summary>
/// The types that all blocks share, as values of <c>format</c>; docs/blocks.md lists them. Each says in plain words what is wrong with a
/// value.
/// </summary>
internal static partial class Formats
{
    /// <summary>The text of a credential, which an input names and never holds.</summary>
    public const string Secret = "secret";

    /// <summary>A configuration of a device's history, which an input names and never holds.</summary>
    public const string Config = "config";

    /// <summary>The member of an input that names the configuration which the block gives its device.</summary>
    public const string Restored = "configId";

    /// <summary>An address that a device sends packets to. One that is link-local means something on one interface only.</summary>
    public const string NextHop = "nexthop";

    private const string LinkLocal = "it is link-local, and there is no interface to say which link is meant";
    private const string Name = "it begins with a letter or digit and has letters, digits, dots, hyphens and underscores";
    private static readonly IPNetwork _linkLocal = IPNetwork.Parse("fe80::/10");

    // RFC 4291, 2.5.5.1: deprecated, and devices write them in more than one way.
    private static readonly IPNetwork _compatible = IPNetwork.Parse("::/96");
    private static readonly IPNetwork _plain = IPNetwork.Parse("::/112");

    // RFC 6890 and RFC 4291: no other device has these.
    private static readonly (IPNetwork Network, string Reason)[] _nobody =
    [
        (IPNetwork.Parse("0.0.0.0/8"), "addresses that begin with 0 are no device's"),
        (IPNetwork.Parse("127.0.0.0/8"), "it is a loopback address"),
        (IPNetwork.Parse("224.0.0.0/4"), "it is a multicast address"),
        (IPNetwork.Parse("255.255.255.255/32"), "it is the broadcast address"),
        (IPNetwork.Parse("240.0.0.0/4"), "addresses from 240.0.0.0 on are reserved"),
        (IPNetwork.Parse("::/128"), "it is the unspecified address"),
        (IPNetwork.Parse("::1/128"), "it is the loopback address"),
        (IPNetwork.Parse("ff00::/8"), "it is a multicast address"),
    ];

    private static readonly Dictionary<string, Format> _all = new(StringComparer.Ordinal)
    {
        ["ipv4"] = Text(text => Sentence(text, "an IPv4 address", V4(text)), Spelled),
        ["ipv6"] = Text(text => Sentence(text, "an IPv6 address", V6(text)), Spelled),
        ["ip"] = Text(text => Sentence(text, Kind(text), Any(text)), Spelled),
        ["prefix4"] = Text(text => Prefix(text, V4), Network),
        ["prefix6"] = Text(text => Prefix(text, V6), Network),
        ["prefix"] = Text(text => Prefix(text, Any), Network),
        ["interface-address"] = Text(Own, text => $"{Spelled(text.Split('/')[0])}/{text.Split('/')[1]}"),
        [NextHop] = Text(text => Device(text, linkLocal: true), Spelled),
        ["neighbor"] = Text(text => Device(text, linkLocal: false), Spelled),
        ["interface"] = Text(Interface),
        ["vrf"] = Text(text => VrfName().IsMatch(text) ? null : Sentence(text, "the name of a VRF", Name)),
        ["name"] = Text(text => VrfName().IsMatch(text) ? null : Sentence(text, "a name", Name)),
        ["description"] = Text(text => Words(text, "a description")),
        ["line"] = Text(text => Words(text, "a line of a configuration")),
        ["hostname"] = Text(text => text.Length <= 253 && HostName().IsMatch(text)
            ? null : Sentence(text, "a host name", "labels of letters, digits and hyphens with dots between (RFC 1123)")),
        ["date-time"] = Text(text => IsInstant(text)
            ? null : Sentence(text, "a time", "date, T, time and offset are needed, as in 2026-01-31T23:59:00Z")),
        [Config] = Text(text => ConfigId.TryRead(text, out _)
            ? null : Sentence(text, "a configuration", "its id is needed, as GET /v1/devices/{id}/configs has it")),
        ["asn"] = new("integer", AutonomousSystem),
        [Secret] = new("object", value => Credential(value) is null
            ? "A secret is given as the id of a credential of kind secret, {\"credentialId\": \"cre_…\"}, never as text." : null),
    };

    /// <summary>The formats that a schema may use.</summary>
    public static IReadOnlyCollection<string> Names => _all.Keys;

    /// <summary>The JSON Schema type of its values.</summary>
    public static string TypeOf(string format) => _all[format].Type;

    /// <summary>Whether the values are addresses or prefixes.</summary>
    public static bool HasFamily(string format) => _all.TryGetValue(format, out var known) && known.Canonical is not null;

    /// <summary>What is wrong with the value; null where nothing is, or where it is of another JSON type.</summary>
    public static string? Fault(string format, JsonElement value) => _all[format].Fault(value);

    /// <summary>One spelling for all that mean the same; a value that does not fit the format stays as it is.</summary>
    public static string Canonical(string? format, JsonElement value) =>
        value.ValueKind != JsonValueKind.String ? value.GetRawText()
        : format is not null && _all[format] is { Canonical: { } canonical } known && known.Fault(value) is null
            ? canonical(value.GetString()!)
        : value.GetString()!;

    /// <summary>Whether the text is an address that means something on one interface only.</summary>
    public static bool IsLinkLocal(string text) => IPAddress.TryParse(text, out var address) && _linkLocal.Contains(address);

    /// <summary>The credential that a value of the format <c>secret</c> names; null where it names none.</summary>
    public static CredentialId? Credential(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object && value.EnumerateObject().ToArray() is [{ Name: "credentialId" } named]
            && named.Value.ValueKind == JsonValueKind.String && CredentialId.TryRead(named.Value.GetString()!, out var id) ? id : null;

    /// <summary>Whether an input of this schema names the configuration that the block gives its device.</summary>
    public static bool Restores(JsonElement schema) => schema.TryGetProperty("properties", out var members)
        && members.TryGetProperty(Restored, out var member) && member.TryGetProperty("format", out var format)
        && format.ValueEquals(Config);

    private static Format Text(Func<string, string?> fault, Func<string, string>? canonical = null) =>
        new("string", value => value.ValueKind == JsonValueKind.String ? fault(value.GetString()!) : null, canonical);

    /// <summary>Null where there is no reason.</summary>
    private static string? Sentence(string text, string what, string? reason) =>
        reason is null ? null : $"{(text.Length is > 0 and <= 64 ? text : "This")} is not {what}: {reason}.";

    private static string Kind(string text) => text.Contains(':') ? "an IPv6 address" : "an IPv4 address";

    private static string? Prefix(string text, Func<string, string?> reason)
    {
        if (text.Split('/') is not [var address, var length])
        {
            return Sentence(text, "a prefix", "an address, a slash and a length are needed, as in 10.9.0.0/16");
        }

        var most = address.Contains(':') ? 128 : 32;
        return Sentence(
            text, "a prefix",
            reason(address)
            ?? (!Number(length) || int.Parse(length, CultureInfo.InvariantCulture) > most ? $"the length is a number from 0 to {most}"
                : length is ['0', _, ..] ? "the length has a leading zero" : null));
    }

    /// <summary>An address of an interface: with the length of the prefix that it is in, and not that of the prefix itself.</summary>
    private static string? Own(string text)
    {
        if (Prefix(text, Any) is { } fault)
        {
            return fault;
        }

        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var (address, length) = (IPAddress.Parse(text[..slash]), int.Parse(text.AsSpan(slash + 1), CultureInfo.InvariantCulture));
        var longest = text.Contains(':') ? 128 : 32;
        return Sentence(
            text, "the address of an interface",
            Array.Find(_nobody, nobody => nobody.Network.Contains(address)).Reason
            ?? (length < longest - 1 && Network(text) == $"{address}/{length}" ? "it is the prefix, and no address in it" : null));
    }

    private static string? Device(string text, bool linkLocal)
    {
        if (Any(text) is { } fault)
        {
            return Sentence(text, Kind(text), fault);
        }

        var address = IPAddress.Parse(text);
        return Sentence(
            text, "the address of another device",
            Array.Find(_nobody, nobody => nobody.Network.Contains(address)).Reason
            ?? (!linkLocal && _linkLocal.Contains(address) ? LinkLocal : null));
    }

    private static string? Any(string text) => text.Contains(':') ? V6(text) : V4(text);

    /// <summary>Why the text is no IPv4 address. A zero before other digits makes an octal number for some programs.</summary>
    private static string? V4(string text)
    {
        var octets = text.Split('.');
        return text.Contains(':') ? "IPv6 is not taken here"
            : text.Contains('/') ? "a length belongs to a prefix only"
            : octets.Length != 4 || !Array.TrueForAll(octets, Number) ? "four numbers from 0 to 255 with dots between are needed"
            : Array.Exists(octets, octet => octet is ['0', _, ..]) ? "an octet has a leading zero"
            : Array.Exists(octets, octet => int.Parse(octet, CultureInfo.InvariantCulture) > 255) ? "an octet is above 255"
            : null;
    }

    /// <summary>Why the text is no IPv6 address, in any form of RFC 4291, section 2.2.</summary>
    private static string? V6(string text)
    {
        var last = text[(text.LastIndexOf(':') + 1)..];
        return !text.Contains(':') ? "IPv4 is not taken here"
            : text.Contains('/') ? "a length belongs to a prefix only"
            : text.Contains('%') ? "a zone does not belong to it"
            : last.Contains('.') && V4(last) is { } fault ? fault
            : text.Any(c => !char.IsAsciiHexDigit(c) && c is not (':' or '.')) || !IPAddress.TryParse(text, out var address)
                || address.AddressFamily != AddressFamily.InterNetworkV6
                ? "eight groups of up to four hexadecimal digits with colons between are needed, or :: once in place of zeros"
            : address.IsIPv4MappedToIPv6 || _compatible.Contains(address) && !_plain.Contains(address)
                ? "it is an IPv4 address in the form of IPv6"
            : null;
    }

    private static bool Number(string text) => text.Length is > 0 and <= 3 && text.All(char.IsAsciiDigit);

    private static string? Interface(string text) => Sentence(
        text, "the name of an interface",
        !InterfaceName().IsMatch(text) || !text.Any(char.IsAsciiLetter) ? $"{Name}, slashes and colons, at least one letter"
        : IPAddress.TryParse(text, out _) ? "it is an address"
        : null);

    /// <summary>Free text in the form in which every device shows it again.</summary>
    private static string? Words(string text, string what) => Sentence(
        text, what,
        text.Length == 0 || text.Any(c => c is < ' ' or > '~') ? "printable ASCII characters are taken, at least one"
        : text[0] == ' ' || text[^1] == ' ' ? "it begins or ends with a blank"
        : text.Contains("  ", StringComparison.Ordinal) ? "two blanks stand together"
        : null);

    /// <summary>RFC 7607 (0), RFC 6793 (23456) and RFC 7300 (the last of two and of four bytes).</summary>
    private static string? AutonomousSystem(JsonElement value) => value.ValueKind != JsonValueKind.Number ? null : Sentence(
        value.GetRawText(), "the number of an autonomous system",
        (value.TryGetDecimal(out var number) ? number : -1) switch
        {
            0 or 65535 or 4294967295 => "it is reserved",
            23456 => "it is AS_TRANS (RFC 6793)",
            < 0 or > 4294967295 => "they are 1 to 4294967294",
            _ => null,
        });

    private static bool IsInstant(string text) =>
        Instant().IsMatch(text)
        && DateTimeOffset.TryParse(text.ToUpperInvariant(), CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    private static string Spelled(string text) => IPAddress.Parse(text).ToString();

    /// <summary>The prefix with its host bits cleared.</summary>
    private static string Network(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var length = int.Parse(text.AsSpan(slash + 1), CultureInfo.InvariantCulture);
        var bytes = IPAddress.Parse(text[..slash]).GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] &= (byte)(0xFF << Math.Clamp((8 * (i + 1)) - length, 0, 8));
        }

        return $"{new IPAddress(bytes)}/{length}";
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._/:-]*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex InterfaceName();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VrfName();

    // The last label is not a number, so that no resolver takes the name for an address.
    [GeneratedRegex(
        @"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*(?![0-9]+\z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HostName();

    [GeneratedRegex(
        @"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?([Zz]|[+-][0-9]{2}:[0-9]{2})\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Instant();

    /// <param name="Type">JSON Schema type of the values.</param>
    /// <param name="Fault">What is wrong with a value.</param>
    /// <param name="Canonical">One spelling for all that mean the same; null where every text means itself.</param>
    private sealed record Format(string Type, Func<JsonElement, string?> Fault, Func<string, string>? Canonical = null);
}
