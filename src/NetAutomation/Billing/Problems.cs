using NetAutomation.Platform;

namespace NetAutomation.Billing;

internal static class Problems
{
    public static readonly ProblemType BudgetExceeded = new("budget_exceeded", 402, "The monthly budget does not cover this");
    public static readonly ProblemType PriceAboveMax = new("price_above_max", 402, "The price is above the maximum given");
    public static readonly ProblemType NotBillable = new("no_billing_account", 402, "The tenant has no agreement to bill on");
}
