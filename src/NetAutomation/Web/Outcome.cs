namespace NetAutomation.Web;

/// <summary>A value, or the refusal that stands in its place.</summary>
internal readonly struct Outcome<T>
{
    private readonly T? _value;

    private Outcome(T? value, Problem? problem) => (_value, Problem) = (value, problem);

    public Problem? Problem { get; }

    public T Value => Problem is null ? _value! : throw new InvalidOperationException($"Refused: {Problem.Type.Code}");

    public static implicit operator Outcome<T>(T value) => new(value, null);

    public static implicit operator Outcome<T>(Problem problem) => new(default, problem);

    public bool Refused([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Problem? problem, out T value)
    {
        problem = Problem;
        value = _value!;
        return problem is not null;
    }
}
