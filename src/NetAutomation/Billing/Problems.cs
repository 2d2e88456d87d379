using NetAutomation.Web;

namespace NetAutomation.Billing;

internal static class Problems
{
    public static readonly ProblemType BudgetExceeded = new("budget_exceeded", 402, "The monthly budget does not cover this");
    public static readonly ProblemType PriceAboveMax = new("price_above_max", 402, "The price is above the maximum given");
    public static readonly ProblemType NotBillable = new("no_billing_account", 402, "The tenant has no agreement to bill on");
    public static readonly ProblemType PaymentOverdue = new("payment_overdue", 402, "An invoice is overdue");
    public static readonly ProblemType NotSubscribed =
        new("not_subscribed", 402, "AWS Marketplace takes no more usage of the tenant's agreement");
    public static readonly ProblemType InvoiceFixed = new("invoice_fixed", 409, "The invoice does not allow this");
    public static readonly ProblemType AlreadyReversed = new("already_reversed", 409, "The charge was reversed before");
    public static readonly ProblemType DocumentUsed = new("document_used", 409, "Another correction has this document key");
    public static readonly ProblemType NotReconciled =
        new("not_reconciled", 409, "The books do not add up: nothing was issued for these tenants");

    public static Problem BadMonth(string pointer) => Web.Problems.Refused.At(pointer, "month", "A month is yyyy-mm.");
}
