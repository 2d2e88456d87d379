using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.Catalog;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Web;

namespace NetAutomation.Cli;

/// <summary>Plays the proof of one block on one device, and judges by the device's own text.</summary>
internal sealed class Play(Block block, Platform platform, Device device, Sandboxes sandboxes, CancellationToken cancel)
{
    // How long a device takes to show what it does.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);
    private readonly List<string> _held = [];

    // What is restored: as the engine reads it.
    private byte[]? _kept;

    private bool Writes => block.Version.Effect != Effect.Read;

    /// <summary>Never fails but for a cancel: what goes wrong is the cell's fault.</summary>
    public async Task<Cell> Run()
    {
        var clock = Stopwatch.StartNew();
        string? fault = null;
        var shows = 0;
        try
        {
            var proof = Proof.Read(block, platform.Version.Name)
                ?? throw new UnprovenException("proof", $"there is no {Proof.PathOf(platform.Version.Name)}");
            shows = proof.Shows?.Length ?? 0;
            await Run(proof);
        }
        catch (UnprovenException unproven)
        {
            fault = unproven.Message;
        }
        catch (Exception other) when (other is HandException or ContentException or SandboxFailedException)
        {
            fault = $"{(other is HandException ? "hand" : other is ContentException ? "proof" : "sandbox")}: {other.Message}";
        }

        return new Cell(
            block.Version.Slug, block.Version.Version, platform.Version.Name, device.On, device.Real, Writes, shows, [.. _held], fault,
            block.Version.Directory, device.Name, Math.Round(clock.Elapsed.TotalSeconds, 1));
    }

    private async Task Run(Proof proof)
    {
        await Prepare(proof);
        var input = proof.Named(proof.Input);
        var kept = block.Restores ? await Keep(proof, input) : null;
        var before = await Text();
        MustBeRefused(proof);
        var faults = Faults(input, proof.Secret);
        Must("input", faults.Count == 0, Told(faults));

        var check = await Apply(proof, input, check: true);
        Must("check", check.Outcome == (Writes ? DeviceOutcome.Changed : DeviceOutcome.Ok), Told(check));
        await MustStay("check", before);
        _held.Add("check");

        await MustShow(proof, before: true);
        var apply = await Apply(proof, input, check: false);
        Must("apply", apply.Outcome == (Writes ? DeviceOutcome.Changed : DeviceOutcome.Ok), Told(apply));
        MustPromise(proof, apply);
        var after = await Text();
        await MustChange(proof.Lines, before, after);
        Must("apply", kept is null || after == kept, "the device's text is not what it was");
        _held.Add("apply");
        await MustShow(proof, before: false);

        if (block.Restores || block.Version.Effect is Effect.Read or Effect.Idempotent)
        {
            var again = await Apply(proof, input, check: false);
            Must("again", again.Outcome == DeviceOutcome.Ok, Told(again));
            await MustStay("again", after);
            _held.Add("again");
        }

        if (block.Configures)
        {
            var undo = apply.Result is { } result && result.TryGetProperty("undo", out var told) ? told : default;
            Must("undo", undo.ValueKind == JsonValueKind.Array && undo.GetArrayLength() > 0, "the result has none");
            var typed = string.Join('\n', undo.EnumerateArray().Select(line => WithSecrets(line.GetString()!, before, after))) + "\n";
            var said = await device.Do("type", typed, [], cancel);
            await MustStay("undo", before, $"\nthe undo:\n{typed}the device said: {said.Trim()}");
            _held.Add("undo");
        }
        else if (Writes)
        {
            // What is saved is as it was only on a fresh device.
            await Prepare(proof);
        }

        await MustOwnUp(proof, input, before, "fault");
        _held.Add("fault");
        if (block.Configures && platform.Sessions)
        {
            await MustOwnUp(proof, input, before, "refuse");
            _held.Add("refuse");
        }
    }

    private async Task Prepare(Proof proof)
    {
        await device.Do("fresh", "", [], cancel);
        if (proof.Before is { } lines)
        {
            await Type(lines, "before");
        }
    }

    private async Task Type(string lines, string step)
    {
        var said = await device.Do("type", lines, [], cancel);
        var refused = Regex.IsMatch(said, @"^\s*%", RegexOptions.Multiline, TimeSpan.FromSeconds(5));
        Must(step, !refused, $"the device said: {said.Trim()}");
    }

    /// <summary>The device's own text, which is to come back, before somebody types something else.</summary>
    private async Task<string> Keep(Proof proof, JsonElement input)
    {
        var text = await Text();
        // A check begins with the text, whatever comes of it.
        _kept = "\n"u8.ToArray();
        var check = await Apply(proof, input, check: true);
        _kept = check.Texts.FirstOrDefault(each => each.Name == "before")?.Content;
        Must("keep", _kept is not null, Told(check));
        await Type(proof.Since!, "since");
        return text;
    }

    /// <summary>A refused input is told before any device is asked.</summary>
    private void MustBeRefused(Proof proof)
    {
        var at = $"/input{proof.Refused!.At}";
        var faults = Faults(proof.Named(proof.Refused.Input), proof.Secret);
        Must(
            "refused", faults.Any(fault => fault.Pointer == at),
            faults.Count == 0 ? "the input is taken" : $"not at {at} but {Told(faults)}");
        _held.Add("refused");
    }

    private IReadOnlyList<ProblemError> Faults(JsonElement input, Func<CredentialId, string?> secret) =>
        BlockInput.Validate(block.Version, input) is { Count: > 0 } faults
            ? faults : BlockInput.Unusable(block.Version, input, secret, [platform.Version]);

    /// <summary>
    /// A device that drops out in the middle, or refuses a line, is never good, and is told to have changed where it may have. One with
    /// sessions has not.
    /// </summary>
    private async Task MustOwnUp(Proof proof, JsonElement input, string before, string trouble)
    {
        var pattern = proof.Fault ?? (!block.Configures ? "." : platform.Terminal ? LineOf(proof, trouble) : null);
        await device.Do(trouble, "", pattern is null ? [] : [pattern], cancel);
        SandboxDeviceResult result;
        try
        {
            result = await Apply(proof, input, check: false);
        }
        finally
        {
            await device.Do("mend", "", [], CancellationToken.None);
        }

        Must(
            trouble, !result.Outcome.IsGood(),
            $"with a '{trouble}'{(pattern is null ? "" : $" at '{pattern}', or without such a line,")} the run says {Told(result)}");
        if (await Text() is var after && after != before)
        {
            Must(
                trouble, result.Changed != false && !platform.Sessions,
                $"the device has changed, and the run says {Told(result)}{await Difference(before, after)}");
        }
    }

    /// <summary>
    /// A pattern of the lines that the change is made of, at which a device drops out without the first of several, so that something is
    /// typed before. A device numbers some lines by itself.
    /// </summary>
    private static string LineOf(Proof proof, string trouble)
    {
        var come = proof.Lines.Where(line => line[0] == '+' && line.Any(char.IsLetterOrDigit)).ToList();
        var lines = come.Count > 0 ? come : proof.Lines;
        return string.Join('|', lines.Skip(trouble == "fault" && lines.Count > 1 ? 1 : 0).Select(line => string.Join(
            ".*", line[1..].Trim().TrimStart("0123456789".ToCharArray()).Trim().Split('…').Select(Regex.Escape))));
    }

    /// <summary>
    /// Secrets stand in an undo as <c>***</c>: whoever types it puts the old ones there, and those of a line that goes as it stands now.
    /// </summary>
    private static string WithSecrets(string line, string before, string after)
    {
        var (negation, text, end) = line.StartsWith("no ", StringComparison.Ordinal) ? ("no ", after, "") : ("", before, "$");
        var pattern = $"^{Regex.Escape(line[negation.Length..]).Replace(@"\*\*\*", @"\S+")}{end}";
        return line.Contains("***", StringComparison.Ordinal)
            && Regex.Match(text, pattern, RegexOptions.Multiline, TimeSpan.FromSeconds(5)) is { Success: true } found
                ? negation + found.Value : line;
    }

    private async Task MustShow(Proof proof, bool before)
    {
        foreach (var sight in proof.Shows ?? [])
        {
            var (shown, clock) = (await device.Do("show", sight.Command, [], cancel), Stopwatch.StartNew());
            while (!before && !sight.In(shown) && clock.Elapsed < _patience)
            {
                await Task.Delay(300, cancel);
                shown = await device.Do("show", sight.Command, [], cancel);
            }

            Must(
                "shows", sight.In(shown) != before,
                $"'{sight.Command}' has '{sight.Pattern}' {(before ? "before the apply" : "in vain")}: {shown.Trim()}");
        }

        if (!before && proof.Shows is { Length: > 0 })
        {
            _held.Add("shows");
        }
    }

    private void MustPromise(Proof proof, SandboxDeviceResult told)
    {
        if (block.Manifest.Result is { } promised)
        {
            Must("result", told.Result is not null, "there is none");
            var faults = InputSchema.Read(promised.Schema.GetRawText()).Faults(told.Result!.Value).ToList();
            Must("result", faults.Count == 0, $"not as block.yaml promises: {Told(faults)}");
        }

        if (proof.Result is { } wanted)
        {
            var found = told.Result is { } result ? JsonNode.Parse(result.GetRawText()) : null;
            var missing = Missing(JsonNode.Parse(wanted.GetRawText()), found, "");
            Must("result", missing is null, $"{missing}: {told.Result}");
        }
    }

    /// <summary>The pointer of what is not there as wanted. A text that begins with ~ is a pattern.</summary>
    private static string? Missing(JsonNode? wanted, JsonNode? told, string at) => (wanted, told) switch
    {
        (JsonObject members, JsonObject has) => members.Select(
            member => has.TryGetPropertyValue(member.Key, out var value)
                ? Missing(member.Value, value, $"{at}/{member.Key}") : $"{at}/{member.Key}").FirstOrDefault(each => each is not null),
        (JsonArray items, JsonArray has) => items.Count != has.Count
            ? at : items.Zip(has).Select((pair, index) => Missing(pair.First, pair.Second, $"{at}/{index}"))
                .FirstOrDefault(each => each is not null),
        (JsonValue text, JsonValue has) when text.TryGetValue<string>(out var pattern) && pattern is ['~', ..] =>
            Regex.IsMatch($"{has}", pattern[1..], RegexOptions.Multiline, TimeSpan.FromSeconds(5)) ? null : at,
        _ => JsonNode.DeepEquals(wanted, told) ? null : at,
    };

    private static async Task MustChange(IReadOnlyList<string> wanted, string before, string after)
    {
        var found = await Lines(before, after);
        var same = found.Count == wanted.Count && wanted.Zip(found).All(pair => Regex.IsMatch(
            pair.Second, $"^{string.Join(".*", pair.First.Split('…').Select(Regex.Escape))}\\z", RegexOptions.Singleline,
            TimeSpan.FromSeconds(5)));
        Must("apply", same, $"the device's text has not changed by 'change' but by\n{string.Join('\n', found)}");
    }

    private async Task MustStay(string step, string text, string more = "")
    {
        if (await Text() is var found && found != text)
        {
            throw new UnprovenException(step, $"the device's text is another one{await Difference(text, found)}{more}");
        }
    }

    private Task<string> Text() => device.Do("text", "", [], cancel);

    private Task<SandboxDeviceResult> Apply(Proof proof, JsonElement input, bool check) =>
        sandboxes.Run(block, input, proof.Secret, device, check, _kept, cancel);

    private static async Task<string> Difference(string before, string after) => $"\n{string.Join('\n', await Lines(before, after))}";

    /// <summary>The lines of <c>diff -U0</c> that go and come.</summary>
    private static async Task<IReadOnlyList<string>> Lines(string before, string after)
    {
        if (before == after)
        {
            return [];
        }

        var folder = Directory.CreateTempSubdirectory("na-");
        try
        {
            var (old, now) = (Path.Combine(folder.FullName, "old"), Path.Combine(folder.FullName, "new"));
            await File.WriteAllTextAsync(old, before);
            await File.WriteAllTextAsync(now, after);
            using var diff = Process.Start(new ProcessStartInfo("/usr/bin/diff", ["-a", "-U0", old, now])
            {
                RedirectStandardOutput = true, UseShellExecute = false,
            })!;
            var lines = (await diff.StandardOutput.ReadToEndAsync()).TrimEnd('\n').Split('\n');
            await diff.WaitForExitAsync();
            return [.. lines.Skip(2).Where(line => line is ['+' or '-', ..])];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Told(SandboxDeviceResult result) =>
        $"{Wire.Name(result.Outcome)}, changed {result.Changed?.ToString() ?? "unknown"}, {result.Code} {result.Message}".TrimEnd(',', ' ')
        + (result.Diff.Length > 0 ? $"\n{result.Diff.TrimEnd()}" : "");

    private static string Told(IEnumerable<ProblemError> faults) =>
        string.Join("; ", faults.Select(fault => $"{fault.Pointer}: {fault.Code}, {fault.Detail}"));

    private static void Must(string step, bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new UnprovenException(step, otherwise);
        }
    }
}

/// <summary>A step of a proof did not hold.</summary>
internal sealed class UnprovenException(string step, string reason) : Exception($"{step}: {reason}");

/// <summary>What came of a block on a platform.</summary>
/// <param name="On">The product on which it was played.</param>
/// <param name="Held">The steps that held.</param>
/// <param name="Fault">Why it is not proven; null where it is.</param>
internal sealed record Cell(
    string Block, string Version, string Platform, string On, bool Real, bool Writes, int Shows, IReadOnlyList<string> Held, string? Fault,
    string Folder, string Device, double Seconds);
