using System.Diagnostics.Metrics;

namespace NetAutomation.Web.Telemetry;

/// <summary>Boundaries of histograms, in seconds: those of the SDK are meant for milliseconds.</summary>
internal static class Buckets
{
    /// <summary>For durations up to seconds.</summary>
    public static readonly InstrumentAdvice<double> Short =
        new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

    /// <summary>For durations from seconds to hours.</summary>
    public static readonly InstrumentAdvice<double> Long =
        new() { HistogramBucketBoundaries = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14400] };
}
