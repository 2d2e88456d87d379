using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Win32.SafeHandles;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Cli;

/// <summary>A device to play proofs on, of a file that lists them.</summary>
/// <param name="On">What it is, for people: a product with its version.</param>
/// <param name="Hand">
/// The program, with its first arguments, that does by itself what a person does at the device: see <see cref="Do"/>.
/// </param>
/// <param name="Real">It is what the platform is, not an imitation of it.</param>
/// <param name="Namespace">The network namespace from which it is reached.</param>
internal sealed record Device(
    string Name, string Platform, string On, string[] Hand, string Address, string Username, string HostKeySha256, bool Real = false,
    int Port = 22, string? Password = null, string? Enable = null, string? Namespace = null)
{
    private const int NetworkNamespace = 0x40000000;
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(2);

    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public SandboxDevice InSandbox => new(Name, Platform, Port, Username, Password, null, Enable, HostKeySha256, null);

    /// <exception cref="UsageException">The file is not there, or is no list of devices.</exception>
    public static IReadOnlyList<Device> Read(string file)
    {
        try
        {
            var devices = JsonSerializer.Deserialize<Device[]>(File.ReadAllText(file), _json);
            return devices is { Length: > 0 } && devices.All(each => each.Hand.Length > 0 && SandboxDevice.IsAlias(each.Name))
                && devices.DistinctBy(each => each.Name).Count() == devices.Length
                    ? devices : throw new UsageException($"{file}: a list of devices, each with a name of its own and a hand");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new UsageException($"{file}: {fault.Message}");
        }
    }

    /// <summary>
    /// Calls the hand: <c>fresh</c> makes the device as new, <c>text</c> prints its own text, <c>type</c> types the given lines,
    /// <c>show</c> prints what it answers to the given command, <c>fault PATTERN</c> lets it drop out at a line that the pattern finds
    /// (or, without one, once it has changed), <c>refuse PATTERN</c> lets it refuse such a line, and <c>mend</c> takes either back.
    /// </summary>
    /// <exception cref="HandException">The hand failed.</exception>
    public async Task<string> Do(string verb, string given, string[] rest, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(Hand[0], [.. Hand[1..], verb, .. rest])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        using var process = Process.Start(start) ?? throw new HandException($"{Hand[0]} does not start");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(_longest);
        try
        {
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.StandardInput.WriteAsync(given);
            process.StandardInput.Close();
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0 ? output : throw new HandException($"{verb} on {Name}: {(await error + output).Trim()}");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new HandException($"{verb} on {Name} took too long");
        }
        catch (IOException fault)
        {
            throw new HandException($"{verb} on {Name}: {fault.Message}");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>Connects, where it is told so on a thread that has entered a network namespace; the socket stays in it.</summary>
    public async Task<Stream?> Dial(CancellationToken cancel)
    {
        if (Namespace is null)
        {
            var near = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await near.ConnectAsync(IPAddress.Parse(Address), Port, cancel);
            return new NetworkStream(near, ownsSocket: true);
        }

        var connected = new TaskCompletionSource<Stream?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                using var space = File.OpenHandle($"/run/netns/{Namespace}");
                if (SetNamespace(space, NetworkNamespace) != 0)
                {
                    throw new IOException($"the namespace {Namespace} cannot be entered");
                }

                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Connect(IPAddress.Parse(Address), Port);
                connected.SetResult(new NetworkStream(socket, ownsSocket: true));
            }
            catch (Exception fault)
            {
                connected.SetException(fault);
            }
        });
        thread.Start();
        return await connected.Task.WaitAsync(cancel);
    }

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetNamespace(SafeFileHandle space, int kind);
}

/// <summary>What a person would do at a device could not be done.</summary>
internal sealed class HandException(string message) : Exception(message);
