using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Tests.Support;

/// <summary>Budgets of evaluations without a service around them.</summary>
internal static class Budgets
{
    private static readonly IMeterFactory _meters =
        new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();

    public static Evaluations Scope(TimeProvider? clock = null) => new(new EvaluationMetrics(_meters), clock ?? TimeProvider.System);

    /// <summary>A budget of so many steps.</summary>
    public static EvaluationBudget Of(int steps, Evaluations? scope = null) => new(scope ?? Scope(), "steps_of_a_test", steps, default);

    /// <summary>The budget of one answer.</summary>
    public static EvaluationBudget Answer() => Scope().Begin(default);
}
