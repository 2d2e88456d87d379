namespace NetAutomation.Bench;

/// <summary>The result of a bench.</summary>
/// <param name="Bench">Its name.</param>
/// <param name="Held">Every limit held.</param>
/// <param name="Figures">Figures in display order.</param>
internal sealed record Result(string Bench, bool Held, IReadOnlyList<KeyValuePair<string, object>> Figures);
