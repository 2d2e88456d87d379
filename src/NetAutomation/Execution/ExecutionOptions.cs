using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Execution;

/// <summary>Where a run's programs and directories are (section <c>Execution</c>).</summary>
internal sealed class ExecutionOptions
{
    public const string Section = "Execution";
    private const int DeviceMemory = 20 << 20;

    /// <summary>The directory with <c>ansible.cfg</c>, <c>callback</c>, <c>filter</c>, <c>sandbox</c>.</summary>
    [Required]
    public string AnsibleDirectory { get; set; } = Path.Combine(AppContext.BaseDirectory, "ansible");

    /// <summary>One directory per live run. Keep it short: a unix socket's path holds 107 bytes.</summary>
    [Required, MaxLength(48)]
    public string WorkDirectory { get; set; } = Path.Combine(Path.GetTempPath(), "netautomation");

    [Required]
    public string AnsiblePlaybook { get; set; } = "/usr/bin/ansible-playbook";

    /// <summary>
    /// False runs the stock <c>ansible-playbook</c>: slower by far, and without the changes that <c>sandbox/warm.py</c> makes in Ansible.
    /// </summary>
    public bool Warm { get; set; } = true;

    /// <summary>Sandboxes a worker keeps ready, with Ansible imported; each is used for one run. About 60 MB each.</summary>
    [Range(0, 100)]
    public int Spares { get; set; } = 2;

    [Required]
    public string Bubblewrap { get; set; } = "/usr/bin/bwrap";

    [Required]
    public string Python { get; set; } = "/usr/bin/python3";

    /// <summary>Runs this worker executes at the same time.</summary>
    [Range(1, 100)]
    public int Concurrency { get; set; } = 4;

    /// <summary>
    /// Devices a run works on at the same time; more of them follow batch by batch. Without it, as many as this machine's memory holds
    /// for every run it may execute, at 20 MB each, and a hundred at most.
    /// </summary>
    [Range(1, 200)]
    public int? Forks { get; set; }

    public int DevicesAtOnce => Forks
        ?? (int)Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Concurrency / DeviceMemory, 10, 100);

    /// <summary>
    /// How long a run may go without an event and without a byte from or to any device, in seconds, before it is stopped. Longer where a
    /// device's own limit for a command is longer.
    /// </summary>
    [Range(10, 86400)]
    public int IdleSeconds { get; set; } = 300;

    /// <summary>
    /// How long a stopping worker lets its runs go on, in seconds. After that a run ends at its next task or goes back to the queue. A
    /// supervisor must wait two minutes longer before it kills the process.
    /// </summary>
    [Range(0, 86400)]
    public int DrainSeconds { get; set; } = 60;

    /// <summary>
    /// The id of the user who starts sandboxes when the service itself is root; otherwise that is the service's user. Sandboxes have ids of
    /// the range that /etc/subuid gives this user, or its own.
    /// </summary>
    [Range(1, int.MaxValue)]
    public int? SandboxUid { get; set; }
}
