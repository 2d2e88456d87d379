namespace NetAutomation.Execution.Sandbox;

/// <summary>The user that one sandbox runs as, until it is disposed.</summary>
/// <param name="held">What keeps the id from other sandboxes; null where they share it.</param>
internal sealed class SandboxUser(uint id, IReadOnlyList<string> command, IDisposable? held) : IDisposable
{
    /// <summary>The user id, and the group id, that the sandbox sees.</summary>
    public const int Inside = 1000;

    /// <summary>The user id as this process sees it.</summary>
    public uint Id => id;

    /// <summary>The command that executes another one, its further arguments, as this user.</summary>
    public IReadOnlyList<string> Command => command;

    public void Dispose() => held?.Dispose();
}
