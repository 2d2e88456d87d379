namespace NetAutomation.Bench;

/// <summary>What a bench measured.</summary>
/// <param name="Bench">Its name.</param>
/// <param name="Held">Every limit held.</param>
/// <param name="Figures">In the order they are shown.</param>
internal sealed record Result(string Bench, bool Held, IReadOnlyList<KeyValuePair<string, object>> Figures);
