using System.Reflection;

namespace NetAutomation.Web;

/// <summary>
/// A kind of refusal: its stable code, HTTP status and meaning. Modules declare theirs as static members of a <c>Problems</c> class.
/// </summary>
public sealed record ProblemType(string Code, int Status, string Title)
{
    /// <summary>Every kind the service can answer, found once by reflection so that no list can be forgotten.</summary>
    public static IReadOnlyDictionary<string, ProblemType> All { get; } = typeof(ProblemType).Assembly.GetTypes()
        .Where(type => type.Name == "Problems")
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
        .Where(field => field.FieldType == typeof(ProblemType))
        .Select(field => (ProblemType)field.GetValue(null)!)
        .DistinctBy(type => type.Code)
        .OrderBy(type => type.Code, StringComparer.Ordinal)
        .ToDictionary(type => type.Code, StringComparer.Ordinal);

    public Problem With(string? detail = null) => new(this, detail);

    /// <summary>This refusal for one faulty value of the body.</summary>
    public Problem At(string pointer, string code, string detail) => new(this, detail, [new ProblemError(pointer, code, detail)]);
}
