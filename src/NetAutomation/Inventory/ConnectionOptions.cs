namespace NetAutomation.Inventory;

/// <summary>How a device is logged in to where it differs from its platform. What is absent is as the platform has it.</summary>
/// <param name="ConnectSeconds">How long a login may take, from the open connection to the first prompt; 5 to 120.</param>
/// <param name="CommandSeconds">How long the device may be silent during a command; 5 to 600.</param>
/// <param name="Prompt">
/// A pattern of the whole line that is its prompt, beside those of its platform: <c>^</c>, then characters, classes and escapes with at
/// most
/// three quantifiers, then <c>$</c>. No groups and no alternatives.
/// </param>
/// <param name="FirstQuestion">A pattern, in the same syntax, of what it asks after the login; it need not be anchored.</param>
/// <param name="FirstAnswer">The answer, which is not kept secret; absent: the Enter key alone.</param>
/// <param name="Shell">
/// Its login lands in a shell and not in that of its platform, which is then begun there as a program. Only where the platform's
/// <c>shell</c> says so.
/// </param>
public sealed record ConnectionOptions(
    int? ConnectSeconds = null, int? CommandSeconds = null, string? Prompt = null, string? FirstQuestion = null,
    string? FirstAnswer = null, bool? Shell = null);
