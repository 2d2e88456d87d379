namespace NetAutomation.Execution.Sandbox;

/// <summary>Opens a byte stream to a device by its alias; null or an exception when that fails.</summary>
internal delegate Task<Stream?> Dial(string deviceName, CancellationToken cancel);

/// <summary>Makes sandboxes. docs/decisions/0006-sandbox.md says what each kind promises.</summary>
internal interface ISandboxLauncher
{
    /// <summary>
    /// Starts the job. The caller must read <see cref="SandboxRun.Events"/> to the end: a run waits for its reader until its hard timeout.
    /// </summary>
    /// <exception cref="SandboxFailedException">The host lets no sandbox be made.</exception>
    SandboxRun Start(SandboxJob job, Dial dial);

    /// <summary>Keeps sandboxes ready from now on, so that a job starts at once.</summary>
    /// <param name="platforms">Folders of platforms that jobs may have. Others are added when a job has them.</param>
    void KeepReady(IReadOnlyList<string> platforms);

    /// <summary>
    /// Connects to each device once; sends its credential only if the host key matches the pin, or there is no pin yet. One result for each
    /// device, in their order.
    /// </summary>
    /// <exception cref="SandboxFailedException">The host lets no sandbox be made.</exception>
    Task<IReadOnlyList<ProbeResult>> Probe(
        IReadOnlyList<SandboxDevice> devices, Dial dial, TimeSpan timeout, CancellationToken cancel = default);
}
