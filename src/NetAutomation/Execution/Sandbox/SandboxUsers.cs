using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Options;
using Microsoft.Win32.SafeHandles;
using NetAutomation.Content;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// The users that sandboxes run as: each has an id of its own, of the ids that the host gives the user who starts them (subuid(5)), so that
/// what Linux counts by user is not shared. Where the host gives none, or refuses them, all have the id of that user;
/// <see cref="Missing"/> says why.
/// </summary>
internal sealed partial class SandboxUsers
{
    // The same file for all processes of this user, whatever directories and however private a /tmp each of them has. The system takes the
    // locks of a process that is gone away.
#pragma warning disable S5443 // Its owner is checked when it is opened.
    private const string Locks = "/dev/shm/netautomation-sandbox-users-";
#pragma warning restore S5443
    private const int SetLock = 37;
    private const short WriteLock = 1;
    private const int TryAgain = 11;
    private const int PermissionDenied = 13;
    private readonly ExecutionOptions _options;
    private readonly string _content;
    private readonly ILogger _log;
    private readonly Account _account;
    private readonly Range? _users;
    private readonly Range? _groups;
    private readonly Lazy<string?> _missing;
    private int _last = Random.Shared.Next();
    private int _usedUp;

    public SandboxUsers(IOptions<ExecutionOptions> options, PublishedFiles content, ILogger<SandboxUsers> log)
        : this(options.Value, content.Root, log)
    {
    }

    /// <param name="content">The directory of the platforms' directories.</param>
    /// <param name="ranges">The directory of the files subuid and subgid.</param>
    internal SandboxUsers(ExecutionOptions options, string content, ILogger log, string ranges = "/etc")
    {
        (_options, _content, _log, _account) = (options, content, log, Account.Of(options.SandboxUid));
        _users = Range.Read(Path.Combine(ranges, "subuid"), _account);
        _groups = Range.Read(Path.Combine(ranges, "subgid"), _account);
        _missing = new Lazy<string?>(Try);
    }

    /// <summary>Why sandboxes have no ids of their own; null where they have. Tried at the first use.</summary>
    public string? Missing => _missing.Value;

    /// <summary>The ids that sandboxes have, in words.</summary>
    public string Ids => Missing is null
        ? $"each has one of its own, of {_users!.First} to {_users.First + Count - 1}" : $"all have {_account.Id}: {Missing}";

    private uint Count => Math.Min(_users?.Count ?? 0, _groups?.Count ?? 0);

    /// <summary>A user that no other sandbox runs as, unless there is none.</summary>
    /// <exception cref="IOException">The host has no room.</exception>
    public SandboxUser Take()
    {
        if (Missing is null)
        {
            if (TakeOwn() is { } own)
            {
                return own;
            }

            if (Interlocked.Exchange(ref _usedUp, 1) == 0)
            {
                Log.UsedUp(_log, Count, _account.Id);
            }
        }

        return new SandboxUser(_account.Id, _account.Command, held: null);
    }

    private SandboxUser? TakeOwn()
    {
        var path = Locks + _account.Id;
        // To create what is there is refused even to root, in a directory that is everybody's (fs.protected_regular).
        var file = File.OpenHandle(
            path, File.Exists(path) ? FileMode.Open : FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            // Root makes it for the user whose ids these are. Refused where somebody else has put the file there.
            if (_options.SandboxUid is not null && ChangeOwner(file, _account.Id, uint.MaxValue) != 0)
            {
                throw new IOException($"{path} cannot be given to its user.", new Win32Exception(Marshal.GetLastPInvokeError()));
            }

            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            for (var tries = 0; tries < Count; tries++)
            {
                // From anywhere on, so that an id is long out of use when it comes again, and containers that have the same range but not
                // the same file hardly meet.
                var next = (uint)Interlocked.Increment(ref _last) % Count;
                var (user, group) = (_users!.First + next, _groups!.First + next);
                if (Lock(file, user))
                {
                    return new SandboxUser(user, [.. _account.Command, .. Enter(user, group)], file);
                }
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return null;
    }

    // newuidmap and newgidmap, which it calls, check the range.
    private static string[] Enter(uint user, uint group)
    {
        var inside = SandboxUser.Inside.ToString(CultureInfo.InvariantCulture);
        return
        [
            "unshare", "--user", $"--map-users={user},{inside},1", $"--map-groups={group},{inside},1",
            "--setuid", inside, "--setgid", inside, "--",
        ];
    }

    /// <summary>What stands in the way of a sandbox as a user of its own; null where nothing does.</summary>
    private string? Try()
    {
        if (Count == 0)
        {
            return $"{_account.Name} has no range in /etc/subuid and /etc/subgid.";
        }

        try
        {
            if (TakeOwn() is not { } user)
            {
                return null;
            }

            using var place = new SandboxPlace(_options, user, "users-" + Guid.CreateVersion7().ToString("N"), devices: 1);
            var (code, error) = SandboxProbe.Run(BubblewrapCommand.Build(
                _options, SandboxProbe.WriteFilter(_options), place, platforms: [_content], devices: 1,
                [_options.Python, "-I", "-c", $"open('{BubblewrapCommand.Init(_options)[^1]}').close()"]));
            return code == 0 ? null : error;
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException or UnauthorizedAccessException or Win32Exception)
        {
            return fault.Message;
        }
    }

    /// <summary>
    /// Locks the byte that stands for this id, for as long as the file is open; false where it is locked. Such a lock belongs to the open
    /// file and not to the process, so that a process has no id twice (fcntl_locking(2)).
    /// </summary>
    private static bool Lock(SafeFileHandle file, uint id)
    {
        var region = new Region { Type = WriteLock, Start = id, Length = 1 };
        if (Control(file, SetLock, ref region) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error is TryAgain or PermissionDenied
            ? false : throw new IOException("The user of a sandbox cannot be locked.", new Win32Exception(error));
    }

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(SafeFileHandle file, int command, ref Region region);

    [DllImport("libc", EntryPoint = "fchown", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeOwner(SafeFileHandle file, uint owner, uint group);

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveUser();

    /// <summary>The kernel's struct flock, on processors of 64 bits.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Region
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int Process;
    }

    /// <summary>The user that starts sandboxes.</summary>
    /// <param name="Command">What makes a process of this one's run as it.</param>
    private sealed record Account(uint Id, string Name, string[] Command)
    {
        public static Account Of(int? other)
        {
            if (other is not { } id)
            {
                return new Account(EffectiveUser(), Environment.UserName, []);
            }

            var text = id.ToString(CultureInfo.InvariantCulture);
            var known = File.ReadLines("/etc/passwd").Select(line => line.Split(':'))
                .FirstOrDefault(user => user.Length > 3 && user[2] == text);
            return new Account(
                (uint)id, known?[0] ?? text, ["setpriv", "--reuid", text, "--regid", known?[3] ?? text, "--clear-groups", "--"]);
        }
    }

    /// <summary>Ids that a user may give to others.</summary>
    private sealed record Range(uint First, uint Count)
    {
        /// <summary>The first range of the user; null where it has none.</summary>
        public static Range? Read(string path, Account account)
        {
            var id = account.Id.ToString(CultureInfo.InvariantCulture);
            return !File.Exists(path) ? null : File.ReadLines(path).Select(line => line.Split(':'))
                .Where(line => line.Length == 3 && (line[0] == account.Name || line[0] == id))
                .Select(line => uint.TryParse(line[1], CultureInfo.InvariantCulture, out var first)
                    && uint.TryParse(line[2], CultureInfo.InvariantCulture, out var count) ? new Range(first, count) : null)
                .FirstOrDefault(range => range is not null);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(813, LogLevel.Warning, "All {Count} user ids of sandboxes are in use: further sandboxes share {Shared}")]
        public static partial void UsedUp(ILogger logger, uint count, uint shared);
    }
}
