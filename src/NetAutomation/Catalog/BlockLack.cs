using System.Text.Json;

namespace NetAutomation.Catalog;

/// <summary>A part of the input that a platform cannot do.</summary>
/// <param name="Platform">The platform.</param>
/// <param name="At">JSON pointer into the input; * stands for each item of a list.</param>
/// <param name="Because">What the platform does not have.</param>
/// <param name="When">JSON Schema of the values that it cannot do; null for all.</param>
public sealed record BlockLack(string Platform, string At, string Because, JsonElement? When);
