using NetAutomation.Web.Telemetry;

namespace NetAutomation.Web.Rates;

/// <summary>The rates of a process, for every host that takes requests of tenants.</summary>
internal static class RatesModule
{
    public static void AddRates(this IServiceCollection services)
    {
        services.AddOptions<RatesOptions>().BindConfiguration("Rates").ValidateDataAnnotations().ValidateOnStart();
        services.AddInstruments<LimitMetrics>();
        services.AddSingleton<RateLimits>().AddSingleton<LimitReached>();
    }
}
