using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NetAutomation.Faults;

/// <summary>A device as its own console and journal show it, past the product.</summary>
/// <param name="folder">Where it looks for its faults, as it names it.</param>
/// <param name="host">What stands before that name on this machine.</param>
internal abstract class GuardDevice(string name, string platform, string folder, string host = "")
{
    public string Name => name;

    public string Platform => platform;

    /// <summary>It takes a change back by itself.</summary>
    public virtual bool Hard => true;

    /// <summary>Seconds that it may take to go back, once its time is over.</summary>
    public virtual double Slack => 2;

    /// <summary>Which connector reaches it.</summary>
    public abstract int Connector { get; }

    /// <summary>
    /// A pattern of the line at which it waits, and of what its journal must have had before. Nothing where a change cuts itself off.
    /// </summary>
    protected abstract (string Line, string? After)? At(Stage stage, bool cutOff = false);

    /// <summary>It waits there when it has done the line.</summary>
    protected virtual bool Done(GuardRound round) => round is { Stage: Stage.Confirm, Late: true };

    /// <summary>A soft one, too, is changed from here on.</summary>
    protected virtual bool Begun(IReadOnlyList<JournalEntry> told) => Armed(told);

    /// <summary>Its whole configuration, without what changes by itself.</summary>
    public abstract Task<string> Text();

    public abstract bool Armed(IReadOnlyList<JournalEntry> told);

    /// <summary>What would still take something back, or is left of it; empty where nothing is.</summary>
    public abstract Task<string> Left();

    /// <summary>Where it was when this was the end of its journal.</summary>
    /// <param name="lines">How many lines the change has.</param>
    public virtual Stage Reached(IReadOnlyList<JournalEntry> told, int lines)
    {
        told = [.. told.Where(each => each.Kind is not ("login" or "open" or "close"))];
        var typed = told.Count(each => each.Kind == "line");
        bool Held(Stage stage) =>
            At(stage) is { } at && told is [.., { Kind: "held", Text: { } text }]
            && Regex.IsMatch(text, at.Line, RegexOptions.None, _limit);
        return Held(Stage.Confirm) ? Stage.Confirm
            : told.Any(each => each.Kind is "confirm" or "save") || (typed > 0 && Held(Stage.After)) ? Stage.After
            : typed >= lines ? Stage.Applied
            : typed > 0 ? Stage.Lines
            : Begun(told) ? Stage.Armed
            : Stage.Before;
    }

    /// <summary>From its next login on it waits at this moment of the round.</summary>
    public void Hold(GuardRound round)
    {
        if (round.Cut == Cut.None || At(round.Stage, round.Cut == Cut.CutOff) is not { } at)
        {
            Faults([]);
            return;
        }

        File.WriteAllText(host + Mark(round), "");
        var hold = new JsonObject { ["line"] = at.Line, ["while"] = Mark(round) };
        if (at.After is { } after)
        {
            hold["after"] = after;
        }

        Faults(new JsonObject { [Done(round) ? "holdAfter" : "hold"] = hold });
    }

    /// <summary>It goes on, or ends the session there.</summary>
    public void Release(GuardRound round, bool drop = false)
    {
        if (drop && File.Exists(host + Mark(round)))
        {
            File.WriteAllText(host + Mark(round), "drop");
        }
        else
        {
            File.Delete(host + Mark(round));
        }
    }

    /// <summary>Takes away the way in, if the change does not do that.</summary>
    public virtual void CutOff()
    {
    }

    /// <summary>Gives it back.</summary>
    public virtual Task Restore() => Task.CompletedTask;

    /// <summary>
    /// A change that cuts the device off: the block with its input, a word that only this text has, and a part of the last line for it.
    /// </summary>
    public virtual (string Block, JsonObject Input, string Word, string Ends)? CutsItself => null;

    protected string Host(string path) => host + path;

    protected abstract void Faults(JsonObject faults);

    protected static async Task<string> Run(string program, string? given, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        await process.StandardInput.WriteAsync(given ?? "");
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? said : throw new InvalidOperationException($"{program} {string.Join(' ', words)}: {said} {await error}");
    }

    private string Mark(GuardRound round) => $"{folder}/hold-{name}-{round.Number}";

    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(1);
}

/// <summary>Imitations of a process, which share a file of faults and a console.</summary>
internal sealed class ImitationProcess(string folder, string name)
{
    private readonly JsonObject _faults = [];

    public string Folder => folder;

    public void Faults(string device, JsonObject faults)
    {
        _faults[device] = faults;
        File.WriteAllText($"{folder}/{name}.draft", _faults.ToJsonString());
        File.Move($"{folder}/{name}.draft", $"{folder}/{name}.json", overwrite: true);
    }

    public async Task<string> Ask(string device, string verb, string? given = null)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{folder}/{name}.console"));
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new { device, verb, given }).Append((byte)'\n').ToArray());
        using var reader = new StreamReader(stream);
        var answer = JsonNode.Parse(await reader.ReadToEndAsync())!;
        return answer["text"]?.GetValue<string>() ?? throw new InvalidOperationException($"{device}: {answer}");
    }
}

/// <summary>An imitation of IOS or EOS.</summary>
internal sealed class ImitatedDevice(string name, string platform, ImitationProcess process)
    : GuardDevice(name, platform, process.Folder)
{
    private readonly string _own = name.Split('-')[1];

    public override int Connector => 1;

    protected override (string Line, string? After)? At(Stage stage, bool cutOff = false) => (stage, Platform) switch
    {
        (_, "eos") when cutOff => ("^commit timer", null),
        _ when cutOff => ("^end$", "^line ip route"),
        (Stage.Before, _) => ("^show running-config", null),
        (Stage.Armed, _) => ("^ip route", null),
        (Stage.Lines, _) => ("^ip route", "^line ip route"),
        (Stage.Applied, "eos") => ("^show running-config", "^commit "),
        (Stage.Applied, _) => ("^show running-config", "^line ip route"),
        (Stage.Confirm, "eos") => ("netautomation commit$", null),
        (Stage.Confirm, _) => ("^configure confirm|^reload cancel", null),
        _ => ("^write|^copy", null),
    };

    protected override bool Done(GuardRound round) => base.Done(round) || (round.Cut == Cut.CutOff && Platform == "eos");

    public override Task<string> Text() => process.Ask(_own, "text");

    public override bool Armed(IReadOnlyList<JournalEntry> told) =>
        told.Count(each => each.Kind == "arm") > told.Count(each => each.Kind is "confirm" or "revert" or "reload");

    public override Stage Reached(IReadOnlyList<JournalEntry> told, int lines)
    {
        var stage = base.Reached(told, lines);
        // The lines of EOS are in a session until that is committed.
        return Platform == "eos" && stage == Stage.Applied && !told.Any(each => each.Kind == "arm") ? Stage.Lines : stage;
    }

    public override async Task<string> Left()
    {
        if (Platform == "ios")
        {
            var said = await process.Ask(_own, "show", "show archive config rollback timer")
                + await process.Ask(_own, "show", "show reload");
            return said.Contains("Timer value", StringComparison.Ordinal) || said.Contains("Reload scheduled", StringComparison.Ordinal)
                ? said : "";
        }

        var sessions = JsonNode.Parse(await process.Ask(_own, "show", "show configuration sessions detail | json"))!;
        return sessions["sessions"]!.AsObject().Any(each => $"{each.Value!["state"]}" is "pending" or "pendingCommitTimer")
            || sessions["commitTimerSessionName"]?.GetValue<string>() is { Length: > 0 } ? sessions.ToJsonString() : "";
    }

    /// <summary>All lines of its sessions are taken from now on.</summary>
    public override void CutOff() => Faults(new JsonObject { ["vtys"] = 0 });

    public override Task Restore()
    {
        Faults([]);
        return Task.CompletedTask;
    }

    /// <summary>As it is to be before its first round.</summary>
    public async Task Prepare(bool archive)
    {
        if (archive)
        {
            await process.Ask(_own, "type", "archive\npath flash:before\n");
        }

        await process.Ask(_own, "show", "write memory");
    }

    protected override void Faults(JsonObject faults) => process.Faults(_own, faults);
}

/// <summary>A real device of the lab.</summary>
internal abstract class LabDevice(string name, string platform, string vpc, string lab, string folder, string host = "")
    : GuardDevice(name, platform, folder, host)
{
    private readonly string _faults = $"{host}{folder}/faults.json";

    public override int Connector => 2;

    /// <summary>The folder of its journal, on this machine.</summary>
    public string Journal { get; } = host + folder;

    protected string Vpc => vpc;

    protected Task<string> Lab(string verb, string? given = null) => Run(lab, given, verb, "--vpc", vpc, Name);

    protected override void Faults(JsonObject faults)
    {
        File.WriteAllText(_faults + ".draft", faults.ToJsonString());
        File.Move(_faults + ".draft", _faults, overwrite: true);
    }

}

/// <summary>A host with BIRD or Linux.</summary>
internal sealed class Machine(string name, string platform, string vpc, string lab)
    : LabDevice(name, platform, vpc, lab, "/run/faults", $"/proc/{File.ReadAllText($"/run/na-lab/{vpc}/{name}/pid").Trim()}/root")
{
    // Files and what is in force of them.
    private static readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal)
    {
        ["bird"] = "cat /etc/bird/bird.conf; birdc show route | sed -E 's/ \\[[^]]*\\]//; 1d' | sort; birdc configure status | sed 1d",
        ["linux"] = "cd /etc; find hostname motd network nftables.conf chrony rsyslog.d -type f -exec ls -l --time-style=+ {} + "
            + "-exec cat {} +; ip route; ip -o address; ip -o link show eth0; nft -s list ruleset",
    };

    // It sleeps for a while where going back fails at first.
    public override double Slack => 8;

    protected override (string Line, string? After)? At(Stage stage, bool cutOff = false) => stage switch
    {
        _ when cutOff => null,
        Stage.Before => ("echo armed", null),
        Stage.Armed => (".", "^arm "),
        Stage.Applied => (".", "^line "),
        Stage.Confirm => ("configure confirm|place/confirmed", null),
        _ => null,
    };

    public override Task<string> Text() => Lab("shell", _texts[Platform]);

    public override bool Armed(IReadOnlyList<JournalEntry> told) => Directory.Exists(Host("/run/netautomation.guard"));

    public override Stage Reached(IReadOnlyList<JournalEntry> told, int lines) => base.Reached(told, 1);

    public override Task<string> Left() => Lab(
        "shell", "ls -d /run/netautomation.guard* /dev/shm/netautomation.guard* 2>/dev/null; find /etc -name '*.netautomation*'; "
            + "pgrep -af '[n]etautomation.guard'; ! command -v birdc >/dev/null || birdc configure status | grep unconfirmed; :");

    public override (string Block, JsonObject Input, string Word, string Ends)? CutsItself => ("raw-lines", new JsonObject
    {
        ["changes"] = new JsonArray(new JsonObject
        {
            ["section"] = new JsonArray("file /etc/nftables.conf"),
            ["lines"] = new JsonArray(
                "add table inet cutoff", "add chain inet cutoff input { type filter hook input priority 0 ; }",
                "add rule inet cutoff input tcp dport 22 drop"),
        }),
    }, "cutoff", "");
}

/// <summary>A router of the lab with FRR, which takes nothing back.</summary>
internal sealed class Router(string name, string vpc, string lab)
    : LabDevice(name, "frr", vpc, lab, $"/run/na-lab/{vpc}/{name}/faults")
{
    public override bool Hard => false;

    protected override (string Line, string? After)? At(Stage stage, bool cutOff = false) => stage switch
    {
        _ when cutOff => null,
        Stage.Before => ("^show running-config", null),
        Stage.Armed => ("^ip route", null),
        Stage.Lines => ("^ip route", "^line ip route"),
        Stage.Applied => ("^show running-config", "^line ip route"),
        Stage.Confirm => null,
        _ => ("^write memory", "^line ip route"),
    };

    public override async Task<string> Text() => await Lab("running-config");

    public override bool Armed(IReadOnlyList<JournalEntry> told) => false;

    public override Task<string> Left() => Task.FromResult("");

    /// <summary>The link comes up again, as by a hand at the machine; its configuration stays as it is.</summary>
    public override Task Restore() => Run("ip", null, "-n", $"na-{Vpc}-{Name}", "link", "set", "eth0", "up");

    public override (string Block, JsonObject Input, string Word, string Ends)? CutsItself => ("interfaces", new JsonObject
    {
        ["interfaces"] = new JsonArray(new JsonObject { ["interface"] = "eth0", ["enabled"] = false }),
    }, "shutdown", "shutdown");

    protected override bool Begun(IReadOnlyList<JournalEntry> told) => told.Any(each => each.Kind == "configure");
}
