using System.Net;
using System.Security.Cryptography;
using System.Text.Json;

namespace NetAutomation.Connector;

/// <summary>
/// Checks each step of a session, names the faulty one and its remedy. Changes nothing, and leaves a running connector alone.
/// </summary>
internal static class DoctorCommand
{
    private const int AtOnce = 16;
    private const string Renew = "revoke the connector, create a new one and join it under a new directory";
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    public static async Task<int> Run(CommandLine options, TextWriter output, CancellationToken cancel)
    {
        var (directory, allowListFile) = (options["--state"], options["--allow-list"]);
        var devices = options.All("--device").Select(ReadDevice).ToList();
        if (options.Operands.Count > 0)
        {
            throw new UsageException("doctor takes options only");
        }

        var json = options.Optional("--json") is not null;
        var findings = new List<Finding>();
        void Say(Finding finding)
        {
            var clean = finding with { Message = ConnectorLog.Clean(finding.Message) };
            findings.Add(clean);
            if (!json)
            {
                output.WriteLine($"{clean.Verdict,-8} {clean.Step,-10} {clean.Message}{(clean.Code is null ? "" : $" [{clean.Code}]")}");
            }
        }

        var (state, key) = OpenState(directory, Say);
        using (key)
        {
            if (state is null || key is null)
            {
                foreach (var step in ServiceDoctor.Steps)
                {
                    Say(new Finding(step, "skipped", null, "needs the state directory"));
                }
            }
            else
            {
                await new ServiceDoctor(state, key, TimeProvider.System, Say).Run(cancel);
            }
        }

        var allowList = ReadAllowList(allowListFile, Say);
        if (options.Optional("--devices") is not null && allowList is not null)
        {
            devices.AddRange(allowList.Single.Except(devices));
        }

        foreach (var batch in devices.Chunk(AtOnce))
        {
            Array.ForEach(await Task.WhenAll(batch.Select(device => DeviceDoctor.Try(device, allowList, cancel))), Say);
        }

        var well = !findings.Exists(f => f.Verdict == "wrong");
        if (json)
        {
            await output.WriteLineAsync(
                JsonSerializer.Serialize(new DoctorReport(well, ConnectorVersion.Text, findings), ConnectorJson.Default.DoctorReport)
                    .AsMemory(), cancel);
        }

        return well ? 0 : 1;
    }

    private static IPEndPoint ReadDevice(string text) =>
        IPEndPoint.TryParse(text, out var device) && device.Port != 0 ? device : throw new UsageException("--device takes IP:PORT");

    private static (ConnectorState? State, ECDsa? Key) OpenState(string directory, Action<Finding> say)
    {
        ConnectorState? state = null;
        ECDsa? key = null;
        var (code, message) = ("", "");
        try
        {
            var keyFile = Path.Combine(directory, "key.pem");
            if (!Directory.Exists(directory))
            {
                (code, message) =
                    ("state-missing", $"{directory} is not there: join first, or name the directory the connector was joined with");
            }
            else if (!Directory.GetFiles(directory).Contains(Path.Combine(directory, "connector.json"), StringComparer.Ordinal))
            {
                (code, message) =
                    ("not-joined", $"{directory} holds no connector: no join has succeeded there. Create a join token and join");
            }
            else if (!File.Exists(keyFile))
            {
                (code, message) = ("key-missing", $"{keyFile} is not there. Restore it from this host, or {Renew}");
            }
            else
            {
                state = ConnectorState.Load(directory);
                key = ConnectorState.LoadKey(directory);
                FenceFile.Load(Path.Combine(directory, "fences"));
                Instance.Last(directory);
                var mode = File.GetUnixFileMode(keyFile) & Others;
                (code, message) = mode != UnixFileMode.None
                    ? ("key-readable",
                        $"others than its owner may use {keyFile}: chmod 600 it, and join anew where somebody may have read it")
                    : (File.GetUnixFileMode(directory) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != UnixFileMode.None
                        ? ("state-writable", $"others than its owner may write to {directory}: chmod 700 it")
                    : StateFiles.IsWritable(directory) ? ("", $"{state.Connector} ({state.Name}) in {directory}, with its key")
                    : ("state-read-only",
                        $"this user may not write to {directory}, where fences are kept: run the connector and doctor as the owner, on a "
                            + "disk that is not read-only");
            }
        }
        catch (UnauthorizedAccessException)
        {
            (code, message) = ("state-unreadable", $"this user may not read {directory}: run doctor as the connector's user");
        }
        catch (JsonException)
        {
            (code, message) = ("state-damaged", $"{directory}/connector.json is damaged. Restore it, or {Renew}");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            (code, message) = ("key-damaged", $"{directory}/key.pem holds no private key. Restore it, or {Renew}");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            (code, message) = ("state-damaged", e.Message);
        }

        say(new Finding("state", code.Length == 0 ? "ok" : "wrong", code.Length == 0 ? null : code, message));
        return (state, key);
    }

    private static AllowList? ReadAllowList(string file, Action<Finding> say)
    {
        const string step = "allow-list";
        try
        {
            var list = AllowList.Load(file);
            var wide =
                list.Networks.Where(
                    n => n.PrefixLength < (n.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 8 : 16)).ToList();
            var single = list.Single.DistinctBy(d => d.Address).Count();
            say(list.Count == 0
                ? new Finding(
                    step, "warning", "allow-list-empty", $"{file} has no entry, so every device is denied: add lines 'CIDR port[,port]'")
                : wide.Count > 0
                    ? new Finding(
                        step, "warning", "allow-list-open",
                        $"{string.Join(", ", wide)} opens far more than devices: list your management networks instead")
                : new Finding(step, "ok", null, $"{list.Count} entries, {single} of them single addresses"));
            return list;
        }
        catch (FormatException e)
        {
            say(new Finding(step, "wrong", "allow-list-faulty", $"{file}: {e.Message} The connector does not start with it"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            say(new Finding(
                step, "wrong", "allow-list-missing", $"{file} is not there: write it, one line 'CIDR port[,port]' per network"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            say(new Finding(step, "wrong", "allow-list-unreadable", $"{file} cannot be read by this user: {e.Message}"));
        }

        return null;
    }
}
