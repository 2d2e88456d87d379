using System.Diagnostics.Metrics;

namespace NetAutomation.Billing.Invoices;

/// <summary>Shows that books do not add up, of which customers see nothing but a missing invoice.</summary>
internal sealed class BooksMetrics(IMeterFactory meters)
{
    public const string MeterName = "NetAutomation.Billing";

    private readonly Gauge<int> _parked = meters.Create(MeterName).CreateGauge<int>(
        "netautomation.billing.parked", "{tenant}", "Tenants whose books do not add up, so that nothing of them is invoiced.");

    public void Parked(int tenants) => _parked.Record(tenants);
}
