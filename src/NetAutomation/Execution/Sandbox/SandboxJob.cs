using System.Text.Json;
using System.Text.RegularExpressions;
using NetAutomation.Inventory;
using NetAutomation.Runs;

namespace NetAutomation.Execution.Sandbox;

/// <summary>One block on some devices, as a launcher takes it.</summary>
/// <param name="Platforms">The folders of the devices' platforms, beside the block's. A device of another platform fails by itself.</param>
/// <param name="Secrets">Texts in the input that nobody may see.</param>
/// <param name="Login">The members of the input that are a login which the block gives the device.</param>
/// <param name="Guard">Its changes go back unless they are confirmed; in a check, what would take them back is told.</param>
/// <param name="Restored">Of a block that restores a configuration: the one that its device is to have.</param>
internal sealed record SandboxJob(
    string Id,
    string BlockDirectory,
    IReadOnlyDictionary<string, string> Platforms,
    bool Check,
    JsonElement Input,
    IReadOnlyList<SandboxDevice> Devices,
    TimeSpan HardTimeout,
    TimeSpan IdleTimeout,
    IReadOnlyList<string>? Secrets = null,
    IReadOnlyList<string>? Login = null,
    RunGuard? Guard = null,
    byte[]? Restored = null)
{
    /// <summary>It finds out what a change came to: nothing of the block is played.</summary>
    public bool Looks => Devices.Any(device => device.Look is not null);
}

/// <summary>What a change that was cut off may have left on a device.</summary>
/// <param name="Before">SHA-256, in hexadecimal, of the configuration that it goes back to.</param>
/// <param name="Wanted">Of what was to be confirmed; null where it did not come to that.</param>
/// <param name="Stays">It was decided that the change stays: it is confirmed and saved. Otherwise it goes back.</param>
/// <param name="Ours">What is armed is what the run has armed.</param>
/// <param name="PutsBack">Nothing on the device takes the change back, so the text before is typed.</param>
/// <param name="Text">The configuration before; null where it is not needed.</param>
internal sealed record SandboxLook(string Before, string? Wanted, bool Stays, bool Ours, bool PutsBack, byte[]? Text);

/// <summary>A device under an opaque alias; only the dial knows its real address.</summary>
/// <param name="HostKeySha256">The pin in OpenSSH's form, <c>SHA256:…</c>. Only a probe may go without.</param>
/// <param name="HostKey">The whole key (<c>ssh-ed25519 AAAA…</c>) if known: saves one connection per device and run.</param>
internal sealed partial record SandboxDevice(
    string Name,
    string Platform,
    int Port,
    string Username,
    string? Password,
    string? PrivateKey,
    string? EnablePassword,
    string? HostKeySha256,
    string? HostKey)
{
    /// <summary>To be tried where the device refuses the password.</summary>
    public string? PendingPassword { get; init; }

    /// <summary>The SHA-256, in hexadecimal, of the configuration that the change was planned for; null where any will do.</summary>
    public string? Planned { get; init; }

    /// <summary>The block is not played: the device is looked at.</summary>
    public SandboxLook? Look { get; init; }

    /// <summary>The configuration that it is to have, of a block that restores one.</summary>
    public byte[]? Restored { get; init; }

    /// <summary>Opens the private key.</summary>
    public string? Passphrase { get; init; }

    /// <summary>Answers to questions of the login, by a pattern of the question.</summary>
    public IReadOnlyList<(string Pattern, string Answer)> Answers { get; init; } = [];

    /// <summary>The login enters the privileged mode, which may need no password.</summary>
    public bool Enables { get; init; } = EnablePassword is not null;

    /// <summary>The privilege level that it asks for; null for the highest.</summary>
    public int? EnableLevel { get; init; }

    public ConnectionOptions Options { get; init; } = new();

    public static SandboxDevice Of(DeviceLogin device) => new(
        device.DeviceId.ToString(), device.Platform, device.Port, device.Username, device.Password?.Reveal(), device.PrivateKey?.Reveal(),
        device.Enable?.Reveal(), device.HostKeySha256, device.HostKey)
    {
        Passphrase = device.Passphrase?.Reveal(), Answers = [.. device.Answers.Select(each => (each.Pattern, each.Answer.Reveal()))],
        Enables = device.Enables, EnableLevel = device.EnableLevel, Options = device.Options,
        PendingPassword = device.Pending?.Text.Reveal(),
    };

    /// <summary>What must not come back. An answer of a few characters stands in any text.</summary>
    public IEnumerable<string> Secrets => new[] { Password, PendingPassword, PrivateKey, Passphrase, EnablePassword }.OfType<string>()
        .Concat(Answers.Select(each => each.Answer).Where(answer => answer.Length >= 4));

    /// <summary>An alias Ansible takes for a host name and nothing else, and which is safe as a file name.</summary>
    public static bool IsAlias(string name) => Alias.IsMatch(name) && name is not ("all" or "ungrouped" or "localhost");

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Alias { get; }
}
