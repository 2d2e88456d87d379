namespace NetAutomation.Inventory;

/// <summary>The answer to a question that a device asks during the login, besides the one for the password.</summary>
/// <param name="Pattern">
/// A pattern of the question: characters, classes and escapes with at most three quantifiers; no groups and no alternatives.
/// </param>
/// <param name="Answer">1 to 1024 bytes without control characters; sealed as a password is.</param>
public sealed record LoginAnswer(string Pattern, Secret Answer);
