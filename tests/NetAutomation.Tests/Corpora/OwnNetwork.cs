using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// A thread in a network of its own, in which every address of IPv4 and IPv6 is this host: whatever is dialled there arrives, and nothing
/// leaves it. A socket belongs to the network of the thread that opens it. Needs root.
/// </summary>
internal static class OwnNetwork
{
    private const int NewNetwork = 0x40000000;

    public static bool IsPossible => Environment.IsPrivilegedProcess;

    /// <summary>Runs this on such a thread, which ends with it.</summary>
    public static T Within<T>(Func<T> act)
    {
        var (result, fault) = (default(T)!, (Exception?)null);
        var thread = new Thread(() =>
        {
            try
            {
                if (Unshare(NewNetwork) != 0)
                {
                    throw new Win32Exception(Marshal.GetLastPInvokeError());
                }

                foreach (
                    var arguments in new[] {
                        "link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo" })
                {
                    using var ip = Process.Start("ip", arguments);
                    ip.WaitForExit();
                    ip.ExitCode.ShouldBe(0, arguments);
                }

                result = act();
            }
            catch (Exception caught)
            {
                fault = caught;
            }
        });
        thread.Start();
        thread.Join();
        return fault is null ? result : throw new InvalidOperationException("What ran in the network of its own failed.", fault);
    }

    [DllImport("libc", EntryPoint = "unshare", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unshare(int flags);
}
